package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"tarn/store/digest"
)

type blob struct {
	raw    []byte
	stored []byte
	scheme Scheme
}

func zstdBlob(t testing.TB, raw []byte) blob {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return blob{raw, e.EncodeAll(raw, nil), Zstd}
}

func build(t testing.TB, blobs ...blob) ([]byte, Summary) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, [16]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blobs {
		if _, err := w.Add(digest.Sum(b.raw), b.scheme, uint32(len(b.raw)), b.stored); err != nil {
			t.Fatal(err)
		}
	}
	size, n := w.Size(), w.Len()
	s, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if size != s.Size || n != len(s.Records) || s.Size != int64(out.Len()) || s.Name != digest.Sum(out.Bytes()) {
		t.Fatalf("summary %v, size %d, len %d of %d bytes", s, size, n, out.Len())
	}
	return out.Bytes(), s
}

func plain(s string) blob { return blob{[]byte(s), []byte(s), Stored} }

func open(b []byte) (*Reader, error) { return Open(bytes.NewReader(b), int64(len(b))) }

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raws := rapid.SliceOfDistinct(rapid.SliceOfN(rapid.Byte(), 1, 3000), func(b []byte) string { return string(b) }).Draw(t, "blobs")
		var out bytes.Buffer
		w, err := NewWriter(&out, [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "random")))
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range raws {
			if _, err := w.Add(digest.Sum(raw), Stored, uint32(len(raw)), raw); err != nil {
				t.Fatal(err)
			}
		}
		s, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		r, err := open(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.Records, r.Records(), cmp.Comparer(func(a, b Record) bool { return a == b })); diff != "" && len(raws) > 0 {
			t.Fatal(diff)
		}
		for _, raw := range raws {
			rec, ok := r.Find(digest.Sum(raw))
			if !ok {
				t.Fatal("not found")
			}
			got, err := ReadBlob(bytes.NewReader(out.Bytes()), rec)
			if err != nil || !bytes.Equal(got, raw) {
				t.Fatalf("%v, %q", err, got)
			}
		}
	})
}

// The footer is larger than what Open reads first, the buffer of the writer spills, and blobs larger than it are there.
func TestManyBlobs(t *testing.T) {
	rng := rand.NewChaCha8([32]byte{1})
	var blobs []blob
	for i := range 3000 {
		raw := make([]byte, 1+i%500)
		if i%1000 == 999 {
			raw = make([]byte, bufferSize+i)
		}
		rng.Read(raw)
		raw = binary.LittleEndian.AppendUint32(raw, uint32(i))
		blobs = append(blobs, blob{raw, raw, Stored})
	}
	b, _ := build(t, blobs...)
	r, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, bl := range blobs {
		rec, _ := r.Find(digest.Sum(bl.raw))
		if got, err := ReadBlob(bytes.NewReader(b), rec); err != nil || !bytes.Equal(got, bl.raw) {
			t.Fatal(err)
		}
	}
	if _, ok := r.Find(digest.Digest{}); ok {
		t.Error("found what is not there")
	}
}

func TestZstd(t *testing.T) {
	raw := bytes.Repeat([]byte("tarn "), 100_000)
	b, s := build(t, zstdBlob(t, raw), plain("x"))
	r, err := open(b)
	if err != nil {
		t.Fatal(err)
	}
	rec, _ := r.Find(digest.Sum(raw))
	if rec.Scheme != Zstd || s.Size > 2000 {
		t.Fatalf("%+v in %d bytes", rec, s.Size)
	}
	got, err := ReadBlob(bytes.NewReader(b), rec)
	if err != nil || !bytes.Equal(got, raw) {
		t.Fatal(err)
	}
	buf := make([]byte, 0, len(raw))
	if got, err = DecodeInto(buf, rec, b[rec.Offset:rec.Offset+rec.Stored]); err != nil || &got[0] != &buf[:1][0] {
		t.Fatalf("buffer not used: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	raw := bytes.Repeat([]byte("a"), 5000)
	z := zstdBlob(t, raw)
	stream := func() []byte { // a frame without a content size
		var b bytes.Buffer
		e, _ := zstd.NewWriter(&b)
		e.Write(raw[:2500])
		e.Flush()
		e.Write(raw[2500:])
		e.Close()
		return b.Bytes()
	}()
	rec := func(scheme Scheme, raw int, stored []byte, d digest.Digest) Record {
		return Record{Digest: d, Offset: HeaderSize, Stored: uint32(len(stored)), Raw: uint32(raw), Scheme: scheme}
	}
	d := digest.Sum(raw)
	if got, err := Decode(rec(Zstd, len(raw), stream, d), stream); err != nil || !bytes.Equal(got, raw) {
		t.Fatalf("stream: %v", err)
	}
	tests := []struct {
		name   string
		rec    Record
		stored []byte
	}{
		{"wrong digest", rec(Stored, len(raw), raw, digest.Empty), raw},
		{"short", rec(Stored, len(raw), raw, d), raw[:100]},
		{"frame promises more", rec(Zstd, len(raw)-1, z.stored, d), z.stored},
		{"frame promises less", rec(Zstd, len(raw)+1, z.stored, d), z.stored},
		{"stream has more", rec(Zstd, 100, stream, d), stream},
		{"stream has less", rec(Zstd, len(raw)+1, stream, d), stream},
		{"no frame", rec(Zstd, 300, raw[:300], d), raw[:300]},
		{"wrong content", rec(Zstd, len(raw), z.stored, digest.Empty), z.stored},
		{"two frames", rec(Zstd, len(raw), append(bytes.Clone(stream), stream...), d), append(bytes.Clone(stream), stream...)},
		{"bad record", rec(2, len(raw), raw, d), raw},
	}
	for _, tt := range tests {
		if got, err := Decode(tt.rec, tt.stored); !errors.Is(err, digest.ErrMismatch) {
			t.Errorf("%s: %v, %d bytes", tt.name, err, len(got))
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	w, _ := NewWriter(&bytes.Buffer{}, [16]byte{})
	d := digest.Sum([]byte("ab"))
	tests := []struct {
		name   string
		scheme Scheme
		raw    uint32
		stored string
	}{
		{"no bytes", Stored, 0, ""},
		{"lengths differ", Stored, 3, "ab"},
		{"empty frame", Zstd, 3, ""},
		{"too long", Zstd, MaxRaw + 1, "ab"},
		{"impossible ratio", Zstd, 1 << 20, "ab"},
		{"unknown scheme", 2, 2, "ab"},
	}
	for _, tt := range tests {
		if _, err := w.Add(d, tt.scheme, tt.raw, []byte(tt.stored)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := w.Add(d, Stored, 2, []byte("ab")); err != nil {
		t.Fatalf("usable after a refusal: %v", err)
	}
	if _, err := w.Add(d, Stored, 2, []byte("ab")); !errors.Is(err, ErrExist) {
		t.Errorf("duplicate: %v", err)
	}
	w.size = MaxSize - 100
	if _, err := w.Add(digest.Sum([]byte("c")), Stored, 5, []byte("ccccc")); !errors.Is(err, ErrFull) {
		t.Errorf("full: %v", err)
	}
}

type brokenWriter struct{ left int }

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, errors.New("disk on fire")
	}
	return len(b), nil
}

func TestWriterFails(t *testing.T) {
	w, err := NewWriter(&brokenWriter{10}, [16]byte{})
	if err != nil {
		t.Fatal(err)
	}
	w.Add(digest.Sum([]byte("ab")), Stored, 2, []byte("ab"))
	if _, err := w.Close(); err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Fatalf("close: %v", err)
	}
	if _, err := w.Add(digest.Sum([]byte("c")), Stored, 1, []byte("c")); err == nil {
		t.Error("add after a failure")
	}
	big := make([]byte, bufferSize)
	w, _ = NewWriter(&brokenWriter{10}, [16]byte{})
	if _, err := w.Add(digest.Sum(big), Stored, bufferSize, big); err == nil {
		t.Error("large add")
	}
}

func TestOpenFails(t *testing.T) {
	b, _ := build(t, plain("abc"))
	if _, err := Open(bytes.NewReader(b[:len(b)-4]), int64(len(b))); err == nil || errors.Is(err, ErrFormat) {
		t.Errorf("short read: %v", err)
	}
	if _, err := Open(readerAt{}, int64(len(b))); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("read error: %v", err)
	}
	if _, err := ReadBlob(readerAt{}, Record{Offset: 24, Stored: 1, Raw: 1}); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("read error: %v", err)
	}
}

type readerAt struct{}

func (readerAt) ReadAt([]byte, int64) (int, error) { return 0, iotest.ErrTimeout }

// craft makes a pack with a right checksum around any records, so that the checks behind the checksum are reached.
func craft(body int, recs ...Record) []byte {
	b := append([]byte(headMagic), make([]byte, 16+body)...)
	var footer []byte
	for _, r := range recs {
		footer = r.append(footer)
	}
	return append(b, appendTrailer(footer, b[:HeaderSize], len(recs))...)
}

func TestOpenRefuses(t *testing.T) {
	d := func(i byte) digest.Digest { return digest.Digest{i} }
	ok, _ := build(t, plain("abc"), plain("de"))
	flip := func(i int) []byte {
		c := bytes.Clone(ok)
		c[(i+len(c))%len(c)] ^= 1
		return c
	}
	padded := craft(3, Record{d(1), 24, 3, 3, Stored})
	padded[len(padded)-trailerSize-1] = 1
	fixSum := func(b []byte) []byte {
		sum := checksum(b[:HeaderSize], b[len(b)-2*trailerSize:len(b)-40])
		copy(b[len(b)-40:], sum[:])
		return b
	}
	count := craft(3, Record{d(1), 24, 3, 3, Stored})
	count[len(count)-trailerSize+4] = 1
	huge := bytes.Clone(ok)
	binary.LittleEndian.PutUint32(huge[len(huge)-trailerSize:], 1<<32-1)
	tests := []struct {
		name, want string
		pack       []byte
	}{
		{"empty", "0 bytes", nil},
		{"short", "71 bytes", make([]byte, 71)},
		{"end magic", "magic at its end", flip(-1)},
		{"checksum", "wrong checksum", flip(-20)},
		{"start magic", "wrong magic", flip(0)},
		{"format", "wrong magic", flip(4)},
		{"header padding", "wrong magic", flip(7)},
		{"random", "wrong checksum", flip(8)},
		{"a record", "wrong checksum", flip(-60)},
		{"count", "does not fit", flip(-trailerSize)},
		{"huge count", "does not fit", huge},
		{"trailer padding", "padding of the trailer", fixSum(count)},
		{"record padding", "padding of the record", fixSum(padded)},
		{"raw 0", "raw length of 0", craft(3, Record{d(1), 24, 3, 0, Zstd})},
		{"raw too long", "raw length", craft(3, Record{d(1), 24, 3, 1<<30 + 1, Zstd})},
		{"unsorted", "out of order", craft(3, Record{d(2), 24, 1, 1, Stored}, Record{d(1), 25, 2, 2, Stored})},
		{"duplicate", "out of order", craft(3, Record{d(1), 24, 1, 1, Stored}, Record{d(1), 25, 2, 2, Stored})},
		{"overlap", "overlap", craft(3, Record{d(1), 24, 2, 2, Stored}, Record{d(2), 25, 2, 2, Stored})},
		{"same place", "overlap", craft(3, Record{d(1), 24, 3, 3, Stored}, Record{d(2), 24, 3, 3, Stored})},
		{"gap", "gap", craft(3, Record{d(1), 24, 1, 1, Stored}, Record{d(2), 26, 1, 1, Stored})},
		{"gap at the start", "gap", craft(3, Record{d(1), 25, 2, 2, Stored})},
		{"gap at the end", "footer begins at", craft(4, Record{d(1), 24, 3, 3, Stored})},
		{"bytes without records", "footer begins at", craft(1)},
		{"into the footer", "footer begins at", craft(3, Record{d(1), 24, 4, 4, Stored})},
		{"wraps around", "out of bounds", craft(3, Record{d(1), 24, 1<<32 - 1, 5, Zstd})},
		{"in the header", "out of bounds", craft(3, Record{d(1), 8, 19, 19, Stored})},
		{"no stored bytes", "out of bounds", craft(3, Record{d(1), 24, 0, 3, Zstd})},
		{"scheme", "scheme 2", craft(3, Record{d(1), 24, 3, 3, 2})},
	}
	for _, tt := range tests {
		_, err := open(tt.pack)
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := Open(bytes.NewReader(nil), MaxSize+1); !errors.Is(err, ErrFormat) {
		t.Errorf("too long: %v", err)
	}
	if r, err := open(craft(0)); err != nil || len(r.Records()) != 0 {
		t.Errorf("a pack without blobs: %v", err)
	}
}

// Whatever Open accepts is exactly what a Writer would have written as a footer, and its records are in bounds.
func FuzzOpen(f *testing.F) {
	ok, _ := build(f, plain("abc"), plain("de"), zstdBlob(f, bytes.Repeat([]byte("z"), 300)))
	f.Add(ok, uint32(0))
	f.Add(craft(0), uint32(1))
	f.Add(craft(3, Record{digest.Digest{1}, 24, 3, 3, Stored}), uint32(1))
	f.Fuzz(func(t *testing.T, b []byte, fix uint32) {
		b = bytes.Clone(b)
		if n := int(fix % 8); fix > 0 && len(b) >= HeaderSize+trailerSize+n*recordSize { // repair count, checksum and magic
			copy(b, headMagic)
			footer := bytes.Clone(b[len(b)-trailerSize-n*recordSize : len(b)-trailerSize])
			copy(b[len(b)-trailerSize-n*recordSize:], appendTrailer(footer, b[:HeaderSize], n))
		}
		r, err := open(b)
		if err != nil {
			return
		}
		var footer []byte
		for _, rec := range r.Records() {
			footer = rec.append(footer)
			if int64(rec.Offset)+int64(rec.Stored) > int64(len(b)) {
				t.Fatalf("out of bounds: %+v", rec)
			}
			if got, err := ReadBlob(bytes.NewReader(b), rec); err == nil && digest.Sum(got) != rec.Digest {
				t.Fatal("unverified bytes")
			}
		}
		if footer = appendTrailer(footer, b[:HeaderSize], len(r.Records())); !bytes.HasSuffix(b, footer) {
			t.Fatal("a second encoding")
		}
	})
}

func FuzzDecode(f *testing.F) {
	z := zstdBlob(f, bytes.Repeat([]byte("z"), 300))
	f.Add(z.stored, uint32(300), byte(Zstd))
	f.Add([]byte("abc"), uint32(3), byte(Stored))
	f.Fuzz(func(t *testing.T, stored []byte, raw uint32, scheme byte) {
		rec := Record{Offset: HeaderSize, Stored: uint32(len(stored)), Raw: raw % (1 << 24), Scheme: Scheme(scheme)}
		if got, err := Decode(rec, stored); err == nil {
			t.Fatalf("%d bytes have the zero digest", len(got))
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	raw := make([]byte, 2048)
	w, _ := NewWriter(&brokenWriter{1 << 62}, [16]byte{})
	b.SetBytes(2048)
	for i := 0; b.Loop(); i++ {
		if i%16384 == 0 {
			w, _ = NewWriter(&brokenWriter{1 << 62}, [16]byte{})
		}
		var d digest.Digest
		binary.LittleEndian.PutUint64(d[:], uint64(i))
		if _, err := w.Add(d, Stored, 2048, raw); err != nil {
			b.Fatal(err)
		}
	}
}
