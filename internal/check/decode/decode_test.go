package decode

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

type memory struct{ *bytes.Reader }

func source(b []byte) Source { return memory{bytes.NewReader(b)} }

func made(t testing.TB, write func(w io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// whole are files of all kinds, by name.
func whole(t testing.TB) map[string][]byte {
	img := image.NewPaletted(image.Rect(0, 0, 64, 48), color.Palette{color.Black, color.White, color.RGBA{200, 10, 10, 255}})
	for i := range img.Pix {
		img.Pix[i] = uint8(i * i % 3)
	}
	text := []byte(strings.Repeat("some text, some more\n", 200))
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	npy := []byte(npyOf("'<f8'", "(3, 2)", strings.Repeat("\x00", 48)))
	tarball := made(t, func(w io.Writer) error {
		x := tar.NewWriter(w)
		for i := range 3 {
			if err := x.WriteHeader(&tar.Header{Name: fmt.Sprint(i), Size: int64(len(text)), Mode: 0o644}); err != nil {
				return err
			}
			if _, err := x.Write(text); err != nil {
				return err
			}
		}
		return x.Close()
	})
	gz := func(b []byte) []byte {
		return made(t, func(w io.Writer) error {
			x := gzip.NewWriter(w)
			x.Write(b)
			return x.Close()
		})
	}
	zipped := func(name string, b []byte) []byte {
		return made(t, func(w io.Writer) error {
			x := zip.NewWriter(w)
			f, err := x.Create(name)
			if err != nil {
				return err
			}
			f.Write(b)
			return x.Close()
		})
	}
	return map[string][]byte{
		"a.png": made(t, func(w io.Writer) error { return png.Encode(w, img) }),
		"a.jpg": made(t, func(w io.Writer) error { return jpeg.Encode(w, img, nil) }),
		"a.gif": made(t, func(w io.Writer) error {
			return gif.EncodeAll(w, &gif.GIF{Image: []*image.Paletted{img, img}, Delay: []int{1, 1}})
		}),
		"a.parquet": made(t, func(w io.Writer) error {
			type row struct {
				ID   int64    `parquet:"id"`
				Tags []string `parquet:"tags,list"`
			}
			x := parquet.NewGenericWriter[row](w)
			for i := range 50 {
				if _, err := x.Write([]row{{int64(i), []string{"a", "b"}}}); err != nil {
					return err
				}
			}
			return x.Close()
		}),
		"a.bmp":         made(t, func(w io.Writer) error { return bmp.Encode(w, img) }),
		"a.tiff":        made(t, func(w io.Writer) error { return tiff.Encode(w, img, nil) }),
		"a.webp":        unbase64(t, lossy),
		"a.tar":         tarball,
		"a.tar.gz":      gz(tarball),
		"a.tar.zst":     z.EncodeAll(tarball, nil),
		"a.gz":          gz(text),
		"a.zst":         z.EncodeAll(text, nil),
		"a.zip":         zipped("x.txt", text),
		"a.npy":         npy,
		"a.npz":         zipped("x.npy", npy),
		"a.safetensors": safetensorsOf(`{"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"y":{"dtype":"U8","shape":[5],"data_offsets":[24,29]}}`, 29),
		"a.json":        []byte(`{"a": [1, 2, {"b": null}], "c": "` + strings.Repeat("x", 100) + `"}`),
		"a.jsonl":       []byte("{\"a\": 1}\n{\"a\": \"" + strings.Repeat("x", 100) + "\"}\n"),
		"a.csv":         []byte("a,b\n1,\"" + strings.Repeat("x", 100) + "\"\n2,y\n"),
		"a.csv.gz":      gz([]byte("a,b\n1,2\n")),
	}
}

// safetensorsOf is a header and so many bytes behind it.
func safetensorsOf(header string, size int) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), make([]byte, size)...)
}

// TestWhole: each file is good, and cut anywhere in its second half it is not.
func TestWhole(t *testing.T) {
	ctx := context.Background()
	for name, b := range whole(t) {
		t.Run(name, func(t *testing.T) {
			if err := File(ctx, name, source(b), ""); err != nil {
				t.Fatal(err)
			}
			var bad *Error
			for _, at := range []int{0, len(b) / 2, len(b) * 3 / 4} {
				if err := File(ctx, name, source(b[:at]), ""); !errors.As(err, &bad) {
					t.Errorf("cut to %d of %d bytes: %v", at, len(b), err)
				}
			}
			if err := File(ctx, name, source([]byte(strings.Repeat("\x00\xff", 500))), ""); !errors.As(err, &bad) {
				t.Errorf("other bytes: %v", err)
			}
		})
	}
	if err := File(ctx, "a.xyz", source([]byte("x")), ""); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if err := File(ctx, "a", source(whole(t)["a.png"]), ""); err != nil {
		t.Errorf("by its first bytes: %v", err)
	}
}

// TestTarEnd: a tar that ends between two entries has nothing wrong but its end.
func TestTarEnd(t *testing.T) {
	b := whole(t)["a.tar"]
	entry := 512 + (4200+511)/512*512
	err := File(context.Background(), "a.tar", source(b[:entry]), "")
	var bad *Error
	if !errors.As(err, &bad) || !strings.Contains(err.Error(), "two blocks of zeros") {
		t.Error(err)
	}
}

func TestBad(t *testing.T) {
	ctx := context.Background()
	good := whole(t)
	change := func(name, old, new string) []byte { return bytes.Replace(good[name], []byte(old), []byte(new), 1) }
	if testing.Short() {
		t.Skip("a bomb takes seconds")
	}
	bomb := made(t, func(w io.Writer) error {
		x := gzip.NewWriter(w)
		zero := make([]byte, 1<<20)
		for range 1100 {
			x.Write(zero)
		}
		return x.Close()
	})
	for name, c := range map[string]struct {
		file string
		b    []byte
		want string
	}{
		"flipped zip":  {"a.zip", append(append(bytes.Clone(good["a.zip"][:45]), good["a.zip"][45]^1), good["a.zip"][46:]...), "zip"},
		"zip before":   {"a.zip", []byte("PK\x03\x04PK\x01\x02000000000000000000000000\x05\x00\x00\x00\x00\x00000000000\x00\x00\x0000000PK\x05\x06000000\x01\x003\x00\x00\x007000\x00\x00"), "not a whole zip"},
		"npy shape":    {"a.npy", change("a.npy", "(3, 2)", "(3, 3)"), "needs 72"},
		"npy overflow": {"a.npy", change("a.npy", "(3, 2), }", "(9999999999,99999999), }"), "npy"},
		"tensor hole":  {"a.safetensors", change("a.safetensors", "[24,29]", "[23,28]"), "does not fit"},
		"tensor over":  {"a.safetensors", safetensorsOf(`{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}`, 6), "does not fit"},
		"tensor place": {"a.safetensors", safetensorsOf(`{"x":{"dtype":"U8","shape":[0]}}`, 0), "no type, shape or place"},
		"tensor pair":  {"a.safetensors", safetensorsOf(`{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4,8]}}`, 4), "no type, shape or place"},
		"tensor shape": {"a.safetensors", safetensorsOf(`{"x":{"dtype":"U8","data_offsets":[0,1]}}`, 1), "no type, shape or place"},
		"tensor bits":  {"a.safetensors", safetensorsOf(`{"x":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}`, 2), "does not fit"},
		"tensor note":  {"a.safetensors", safetensorsOf(`{"__metadata__":{"a":1}}`, 0), "__metadata__"},
		"tensor null":  {"a.safetensors", safetensorsOf(`null`, 0), "not JSON"},
		"tensor bytes": {"a.safetensors", safetensorsOf("{\"\xff\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0), "not JSON"},
		"tensor type":  {"a.safetensors", change("a.safetensors", "U8", "U9"), "can't be decoded: tensor \"y\""},
		"tensor both":  {"a.safetensors", safetensorsOf(`{"x":{"dtype":"U9","shape":[4],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}`, 6), "not a whole"},
		"tensor head":  {"a.safetensors", []byte("\xff\xff\xff\xff\xff\xff\xff\x7fxxxx"), "header"},
		"bomb":         {"a.gz", bomb, "1000 times"},
		"json tail":    {"a.json", []byte("{} {}"), "after the end"},
		"json deep":    {"a.json", []byte(strings.Repeat("[", 20_000)), "deep"},
		"json bytes":   {"a.json", []byte("{\"a\":\n\"\xff\"}"), "line 2 has the byte 0xff"},
		"json cut":     {"a.json", []byte("\"" + strings.Repeat("x", 64<<10-2) + "\xc3\""), "line 1 has the byte 0xc3"},
		"json end":     {"a.json", []byte("{}\xc3"), "line 1 has the byte 0xc3"},
		"png size":     {"a.png", pngHeader(1<<20, 1<<20), "too large"},
		"ragged":       {"a.csv", []byte("a,b\n1\n"), "row 2"},
	} {
		err := File(ctx, c.file, source(c.b), "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pngHeader begins a picture of a size.
func pngHeader(w, h uint32) []byte {
	b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), make([]byte, 17)...)
	binary.BigEndian.PutUint32(b[16:], w)
	binary.BigEndian.PutUint32(b[20:], h)
	b[24], b[25] = 8, 2
	binary.BigEndian.PutUint32(b[29:], crc(b[12:29]))
	return b
}

func crc(b []byte) uint32 {
	c := ^uint32(0)
	for _, x := range b {
		c ^= uint32(x)
		for range 8 {
			c = c>>1 ^ 0xedb88320&-(c&1)
		}
	}
	return ^c
}

func TestText(t *testing.T) {
	ctx := context.Background()
	long := strings.Repeat("é\n", 100_000)
	for _, c := range []struct {
		text, encoding, want string
	}{
		{"", "utf-8", ""}, {"abc\né👍", "utf-8", ""}, {long, "utf-8", ""}, {"abc", "ascii", ""}, {"a\nb\né", "ascii", "line 3 has the byte 0xc3"},
		{"a\xff", "utf-8", "line 1 has the byte 0xff"}, {"a\x00", "utf-8", "0x00"}, {long + "\xc3", "utf-8", "line 100001 has the byte 0xc3"}, {"x\xf0\x9f", "utf-8", "0xf0"},
	} {
		err := Text(ctx, source([]byte(c.text)), c.encoding)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%.10q as %s: %v", c.text, c.encoding, err)
		}
	}
}

type broken struct{ Source }

var errDisk = errors.New("disk broke")

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > 20 && off > 0 || off > 20 {
		return 0, errDisk
	}
	return b.Source.ReadAt(p, off)
}

// TestMachine: an error of reading is not the file's fault.
func TestMachine(t *testing.T) {
	for name, b := range whole(t) {
		var bad *Error
		if err := File(context.Background(), name, broken{source(append(b, make([]byte, 1<<20)...))}, ""); errors.As(err, &bad) && strings.Contains(err.Error(), "disk broke") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzFile must end, and never panic, on any bytes.
func FuzzFile(f *testing.F) {
	for name, b := range whole(f) {
		f.Add(name, b)
	}
	f.Add("b.webp", animation(1, 1, unbase64(f, lossy), unbase64(f, exact)))
	f.Add("b.tif", pages("II*\x00", tags{330: {0}}, tags{}, tags{}))
	f.Add("b.npy", []byte(npyOf("[('a', '<i4'), ('b', '<f8')]", "(3, 2)", strings.Repeat(".", 72))))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		err := File(context.Background(), name, source(b), "")
		var bad *Error
		if err != nil && !errors.As(err, &bad) && !errors.Is(err, ErrUnknown) && !undecided(err) {
			t.Errorf("%T %v", err, err)
		}
	})
}
