package decode

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"image"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Pictures of one pixel, and archives that Python wrote.
const (
	lossy   = "UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoBAAEAAwA0JaQAA3AA/vuUAAA="
	exact   = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="
	bzipped = "UEsDBC4AAAAMAAAAIQAoeIvILQAAAPQBAAABAAAAYUJaaDkxQVkmU1n8Uq5OAABjgQACRKAAMM00ClBhFxFpFwi8XckU4UJD8Uq5OFBLAQIuAy4AAAAMAAAAIQAoeIvILQAAAPQBAAABAAAAAAAAAAAAAACAAQAAAABhUEsFBgAAAAABAAEALwAAAEwAAAAAAA=="
	lzma    = "UEsDBD8AAgAOAAAAIQAoeIvIHAAAAPQBAAABAAAAYQkEBQBdAACAAAA0GUnujqnPrxHLP3f//94IAABQSwECPwM/AAIADgAAACEAKHiLyBwAAAD0AQAAAQAAAAAAAAAAAAAAgAEAAAAAYVBLBQYAAAAAAQABAC8AAAA7AAAAAAA="
)

// animation has frames of the size of the canvas; each is a whole picture.
func animation(width, height uint32, frames ...[]byte) []byte {
	chunk := func(name string, b []byte) []byte {
		b = append(binary.LittleEndian.AppendUint32([]byte(name), uint32(len(b))), b...)
		return append(b, make([]byte, len(b)%2)...)
	}
	size := func(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n-1)[:3] }
	all := append([]byte("WEBP"), chunk("VP8X", append(append([]byte{webpAnimation, 0, 0, 0}, size(width)...), size(height)...))...)
	all = append(all, chunk("ANIM", make([]byte, 6))...)
	for _, f := range frames {
		head := append(append(make([]byte, 6), append(size(width), size(height)...)...), make([]byte, 4)...)
		all = append(all, chunk("ANMF", append(head, f[12:]...))...)
	}
	return chunk("RIFF", all)
}

func TestAnimation(t *testing.T) {
	one, other := unbase64(t, lossy), unbase64(t, exact)
	good := animation(1, 1, one, other)
	moved := bytes.Clone(good)
	moved[bytes.Index(moved, []byte("ANMF"))+8] = 1
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"whole":          {good, ""},
		"cut":            {good[:len(good)-3], "too early"},
		"no frame":       {animation(1, 1), "no picture"},
		"second is torn": {animation(1, 1, one, other[:len(other)-8]), "frame 2"},
		"second is none": {animation(1, 1, one, append([]byte("RIFF....WEBP"), "ABCD\x04\x00\x00\x00efgh"...)), "frame 2"},
		"other size":     {animation(2, 1, one), "frame 1"},
		"beyond canvas":  {moved, "frame 1"},
	} {
		err := File(context.Background(), "a.webp", source(c.b), "")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Picture(context.Background(), "a.webp", source(good), func(image.Image) {}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("as one picture: %v", err)
	}
}

// tags are those of a page of 4 × 4 pixels which differ from the usual, with values of the type SHORT.
type tags map[uint16][]uint16

// pages is a TIFF. All have the same strip: 128 zeros behind the header. A page with the tag 330 has the next one below it, not behind it.
func pages(magic string, all ...tags) []byte {
	b := append([]byte(magic), make([]byte, 4+128)...)
	to := 4
	for _, with := range all {
		page := tags{256: {4}, 257: {4}, 258: {8}, 259: {1}, 262: {1}, 273: {8}, 277: {1}, 278: {4}, 279: {128}, 284: {1}, 339: {1}}
		maps.Copy(page, with)
		binary.LittleEndian.PutUint32(b[to:], uint32(len(b)))
		end := len(b) + 2 + 12*len(page) + 4
		to = end - 4
		b = binary.LittleEndian.AppendUint16(b, uint16(len(page)))
		var behind []byte
		for _, k := range slices.Sorted(maps.Keys(page)) {
			kind := uint16(tiffShort)
			if k == tagSubIFDs {
				kind, to = tiffLong, len(b)+8
			}
			b = binary.LittleEndian.AppendUint16(b, k)
			b = binary.LittleEndian.AppendUint16(b, kind)
			b = binary.LittleEndian.AppendUint32(b, uint32(len(page[k])))
			if len(page[k]) == 1 {
				b = binary.LittleEndian.AppendUint32(b, uint32(page[k][0]))
				continue
			}
			b = binary.LittleEndian.AppendUint32(b, uint32(end+len(behind)))
			for _, v := range page[k] {
				behind = binary.LittleEndian.AppendUint16(behind, v)
			}
		}
		b = append(append(b, 0, 0, 0, 0), behind...)
	}
	return b
}

// TestPages: all pages of a TIFF are decoded.
func TestPages(t *testing.T) {
	const magic = "II*\x00"
	usual, torn, floats, above := tags{}, tags{273: {60_000}}, tags{258: {32}, 339: {3}}, tags{330: {0}}
	two := pages(magic, usual, usual)
	behind := func(to uint32) []byte {
		b := bytes.Clone(two)
		binary.LittleEndian.PutUint32(b[len(b)-4:], to)
		return b
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"two":               {two, ""},
		"many":              {pages(magic, slices.Repeat([]tags{usual}, 300)...), ""},
		"second torn":       {pages(magic, usual, torn, usual), "whole tiff: page 2: it ends"},
		"third torn":        {pages(magic, usual, floats, torn), "whole tiff: page 3: it ends"},
		"second of floats":  {pages(magic, usual, floats), ErrUnsupported.Error()},
		"below":             {pages(magic, above, usual), ""},
		"below torn":        {pages(magic, above, torn), "whole tiff: page 2: it ends"},
		"circle":            {behind(8 + 128), "page 2 is an earlier one"},
		"to itself":         {behind(uint32(len(two)) - 2 - 12*11 - 4), "page 2 is an earlier one"},
		"beyond its end":    {behind(60_000), "page 3: it ends"},
		"cut at the second": {two[:len(two)-10], "page 2: it ends"},
	} {
		err := File(context.Background(), "a.tif", source(c.b), "")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// bitmap is a BMP of 4 × 4 pixels.
func bitmap(bits, compression byte) []byte {
	b := append([]byte("BM"), make([]byte, 52+1024)...)
	b[10], b[14], b[18], b[22], b[26], b[28], b[30] = 54, 40, 4, 4, 1, bits, compression
	return b
}

// TestForms has what formats allow, and decoders may lack: that is not the bytes' fault.
func TestForms(t *testing.T) {
	good := whole(t)
	jpg := func(at int, to byte) []byte {
		b := bytes.Clone(good["a.jpg"])
		b[bytes.Index(b, []byte("\xff\xc0"))+at] = to
		return b
	}
	flagged := func(b []byte) []byte { // the central directory says that the first entry is encrypted
		b = bytes.Clone(b)
		b[bytes.Index(b, []byte("PK\x01\x02"))+8] |= 1
		return b
	}
	zipped := func(method uint16, texts ...string) []byte {
		return made(t, func(w io.Writer) error {
			x := zip.NewWriter(w)
			x.RegisterCompressor(zstd.ZipMethodWinZip, zstd.ZipCompressor())
			for i, s := range texts {
				f, err := x.CreateHeader(&zip.FileHeader{Name: string(rune('a' + i)), Method: method})
				if err != nil {
					return err
				}
				io.WriteString(f, s)
			}
			return x.Close()
		})
	}
	two := zipped(zip.Store, "one entry", "other entry")
	long := made(t, func(w io.Writer) error {
		x, err := zstd.NewWriter(w, zstd.WithWindowSize(256<<20), zstd.WithSingleSegment(false))
		if err != nil {
			return err
		}
		for range 300 {
			x.Write(make([]byte, 1<<20))
		}
		return x.Close()
	})
	noted := append(unbase64(t, lossy), "EXIF\x04\x00\x00\x00abcd"...)
	noted[4] += 12
	for name, c := range map[string]struct {
		file string
		b    []byte
		want error // nil: it is decoded; errBroken
	}{
		"tiff":                      {"a.tif", pages("II*\x00", tags{}), nil},
		"tiff of 32 bits":           {"a.tif", pages("II*\x00", tags{258: {32}}), ErrUnsupported},
		"tiff of floats":            {"a.tif", pages("II*\x00", tags{258: {32}, 339: {3}}), ErrUnsupported},
		"tiff of signed numbers":    {"a.tif", pages("II*\x00", tags{258: {16}, 339: {2}}), ErrUnsupported},
		"tiff with JPEG":            {"a.tif", pages("II*\x00", tags{259: {7}}), ErrUnsupported},
		"tiff with a fax":           {"a.tif", pages("II*\x00", tags{258: {1}, 259: {3}, 292: {1}}), ErrUnsupported},
		"tiff of four colors":       {"a.tif", pages("II*\x00", tags{258: {8, 8, 8, 8}, 262: {2}, 277: {4}}), ErrUnsupported},
		"tiff of planes":            {"a.tif", pages("II*\x00", tags{258: {8, 8, 8}, 262: {2}, 277: {3}, 284: {2}}), ErrUnsupported},
		"BigTIFF":                   {"a.tif", pages("II+\x00", tags{}), ErrUnsupported},
		"no tiff":                   {"a.tif", pages("II,\x00", tags{}), errBroken},
		"bmp":                       {"a.bmp", bitmap(24, 0), nil},
		"bmp of 16 bits":            {"a.bmp", bitmap(16, 0), ErrUnsupported},
		"bmp of runs":               {"a.bmp", bitmap(8, 1), ErrUnsupported},
		"arithmetic jpeg":           {"a.jpg", jpg(1, 0xc9), ErrUnsupported},
		"lossless jpeg":             {"a.jpg", jpg(1, 0xc3), ErrUnsupported},
		"jpeg of 12 bits":           {"a.jpg", jpg(4, 12), ErrUnsupported},
		"png of a color that isn't": {"a.png", append(append(bytes.Clone(good["a.png"][:25]), 7), good["a.png"][26:]...), errBroken},
		"zip with bzip2":            {"a.zip", unbase64(t, bzipped), nil},
		"zip with lzma":             {"a.zip", unbase64(t, lzma), ErrUnsupported},
		"zip with zstd":             {"a.zip", zipped(zstd.ZipMethodWinZip, "some text"), nil},
		"encrypted zip":             {"a.zip", flagged(two), ErrUnsupported},
		"encrypted and broken zip":  {"a.zip", bytes.Replace(flagged(two), []byte("other"), []byte("0ther"), 1), errBroken},
		"encrypted npz":             {"a.npz", flagged(good["a.npz"]), ErrUnsupported},
		"encrypted parquet":         {"a.parquet", []byte("PARE\x00\x00\x00\x00\x00\x00\x00\x00PARE"), ErrUnsupported},
		"webp with notes":           {"a.webp", noted, nil},
		"webp with cut notes":       {"a.webp", noted[:len(noted)-2], errBroken},
		"zstd with a long window":   {"a.zst", long, ErrTooLarge},
	} {
		err := File(context.Background(), c.file, source(c.b), "")
		var bad *Error
		if broken := errors.As(err, &bad); broken != (c.want == errBroken) || !broken && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var errBroken = errors.New("its bytes are wrong")
