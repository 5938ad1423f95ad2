package pack

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tarn/store/digest"
)

func TestEncode(t *testing.T) {
	random := make([]byte, 100_000)
	rand.NewChaCha8([32]byte{}).Read(random)
	text := []byte(strings.Repeat("id,user,city\n12,u7,Oslo\n", 5000))
	for name, c := range map[string]struct {
		raw    []byte
		level  int
		scheme Scheme
	}{
		"text": {text, LevelDefault, Zstd}, "text, most": {text, LevelMost, Zstd}, "text, off": {text, LevelStored, Stored}, "random": {random, LevelDefault, Stored},
		"short": {text[:63], LevelDefault, Stored}, "zeros": {make([]byte, 1<<20), LevelDefault, Zstd}, "saves too little": {append(bytes.Clone(random), text[:2000]...), LevelDefault, Stored},
	} {
		e, err := NewEncoder(c.level)
		if err != nil {
			t.Fatal(err)
		}
		stored, scheme, err := e.Encode(c.raw)
		if err != nil || scheme != c.scheme {
			t.Errorf("%s: scheme %d, %v", name, scheme, err)
			continue
		}
		got, err := Decode(Record{Digest: digest.Sum(c.raw), Offset: HeaderSize, Stored: uint32(len(stored)), Raw: uint32(len(c.raw)), Scheme: scheme}, stored)
		if err != nil || !bytes.Equal(got, c.raw) {
			t.Errorf("%s: it comes back wrong: %v", name, err)
		}
		if scheme == Zstd && len(stored) > len(c.raw)*15/16 {
			t.Errorf("%s: %d bytes stored of %d", name, len(stored), len(c.raw))
		}
	}
	for _, level := range []int{-1, LevelMost + 1} {
		if _, err := NewEncoder(level); err == nil {
			t.Errorf("level %d is taken", level)
		}
	}
}

func TestEncodeDecode(t *testing.T) {
	e, err := NewEncoder(LevelDefault)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "word")
		raw := append(bytes.Repeat(word, rapid.IntRange(1, 2000).Draw(t, "times")), rapid.SliceOf(rapid.Byte()).Draw(t, "tail")...)
		stored, scheme, err := e.Encode(raw)
		if err != nil {
			t.Fatal(err)
		}
		rec := Record{Digest: digest.Sum(raw), Offset: HeaderSize, Stored: uint32(len(stored)), Raw: uint32(len(raw)), Scheme: scheme}
		if got, err := Decode(rec, stored); err != nil || !bytes.Equal(got, raw) {
			t.Fatalf("%d bytes come back wrong: %v", len(raw), err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	random := make([]byte, 1<<18)
	rand.NewChaCha8([32]byte{}).Read(random)
	for name, raw := range map[string][]byte{"random": random, "text": []byte(strings.Repeat("id,user,city\n12,u7,Oslo\n", 10000))} {
		b.Run(name, func(b *testing.B) {
			e, _ := NewEncoder(LevelDefault)
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				e.Encode(raw)
			}
		})
	}
}
