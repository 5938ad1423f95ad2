package remote

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tarn/store/digest"
	"tarn/store/pack"
)

func sample() *Object {
	a, b := digest.Sum([]byte("pack a")), digest.Sum([]byte("pack b"))
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return &Object{
		Kind:    KindPage,
		Subject: []byte("tarn 1 page 0\n"),
		Packs:   []PackRef{{a, 1 << 20}, {b, 1 << 30}},
		Records: []Record{
			{Whole: Loc{Pack: 1, Offset: 24, Stored: 100}},
			{Chunks: []Chunk{{digest.Sum([]byte("1")), 5, Loc{0, 24, 5, pack.Stored}}, {digest.Sum([]byte("2")), 900, Loc{1, 300, 20, pack.Zstd}}}},
			{Pages: []ChunkPage{{digest.Sum([]byte("3")), 2000, 1 << 40}}},
		},
	}
}

func sampleChunks() *Object {
	o := &Object{Kind: KindChunks, Packs: []PackRef{{digest.Sum([]byte("p")), 5000}}}
	cs := []Chunk{{digest.Sum([]byte("x")), 70, Loc{0, 24, 70, pack.Stored}}, {digest.Sum([]byte("y")), 80, Loc{0, 94, 30, pack.Zstd}}}
	o.Subject = ChunkSubject(cs)
	for _, c := range cs {
		o.Locs = append(o.Locs, c.Loc)
	}
	return o
}

func TestObjectRoundTrip(t *testing.T) {
	for _, o := range []*Object{sample(), sampleChunks(), {Kind: KindRoot, Subject: []byte("tarn 1 dir\n"), Packs: []PackRef{}}} {
		got, err := Decode(o.Encode(), o.Kind, o.Digest())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(o, got); d != "" {
			t.Error(d)
		}
	}
	cs, err := sampleChunks().ChunkList()
	if err != nil || len(cs) != 2 || cs[1].Raw != 80 || cs[1].Offset != 94 {
		t.Errorf("%v, %v", cs, err)
	}
}

// Every byte of an object counts: a flip anywhere is found.
func TestFlippedByte(t *testing.T) {
	o := sample()
	b := o.Encode()
	for i := range b {
		b[i] ^= 0x20
		if _, err := Decode(b, o.Kind, o.Digest()); !errors.Is(err, ErrObject) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
		b[i] ^= 0x20
	}
	for i := range b {
		if _, err := Decode(b[:i], o.Kind, o.Digest()); !errors.Is(err, ErrObject) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// reseal gives crafted bytes a right checksum, so that what is behind it is tested.
func reseal(b []byte) []byte {
	if len(b) >= envelopeSize {
		sum := checksum(b)
		copy(b[40:], sum[:])
	}
	return b
}

func TestDecodeRefuses(t *testing.T) {
	for name, break_ := range map[string]func(o *Object){
		"unsorted packs":        func(o *Object) { o.Packs[0], o.Packs[1] = o.Packs[1], o.Packs[0] },
		"pack twice":            func(o *Object) { o.Packs[1] = o.Packs[0] },
		"unknown pack":          func(o *Object) { o.Records[0].Whole.Pack = 2 },
		"outside its pack":      func(o *Object) { o.Records[1].Chunks[0].Offset = 1<<20 - 4 },
		"no stored bytes":       func(o *Object) { o.Records[0].Whole.Stored = 0 },
		"reserved scheme":       func(o *Object) { o.Records[0].Whole.Scheme = 2 },
		"empty chunk":           func(o *Object) { o.Records[1].Chunks[1].Raw = 0 },
		"a single chunk":        func(o *Object) { o.Records[1].Chunks = o.Records[1].Chunks[:1] },
		"page of no chunks":     func(o *Object) { o.Records[2].Pages[0].Chunks = 0 },
		"fewer bytes than page": func(o *Object) { o.Records[2].Pages[0].Bytes = 3 },
	} {
		o := sample()
		break_(o)
		if _, err := Decode(o.Encode(), o.Kind, o.Digest()); !errors.Is(err, ErrObject) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReservedRecord(t *testing.T) {
	o := &Object{Kind: KindPage, Subject: []byte("s")}
	b := reseal(append(o.Encode(), 0x81))
	_, err := Decode(b, o.Kind, o.Digest())
	if err == nil || !strings.Contains(err.Error(), "newer tarn") {
		t.Errorf("%v", err)
	}
}

// There is exactly one valid encoding.
func FuzzDecode(f *testing.F) {
	for _, o := range []*Object{sample(), sampleChunks()} {
		f.Add(o.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = reseal(b)
		if len(b) < envelopeSize {
			return
		}
		kind, subject := Kind(b[5]), digest.Digest(b[8:40])
		o, err := Decode(b, kind, subject)
		if err != nil {
			return
		}
		if !bytes.Equal(o.Encode(), b) {
			t.Errorf("decoded and encoded again, it differs")
		}
		o.ChunkList()
	})
}
