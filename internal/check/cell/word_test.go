package cell

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestDates compares with package time: all days of four centuries, and each of some dates with any one byte changed.
func TestDates(t *testing.T) {
	try := func(s string) {
		t.Helper()
		d, err := time.Parse(time.DateOnly, s)
		want := err == nil && d.Year() > 0
		n, ok := ParseDate([]byte(s))
		if ok != want || ok && n != floorDiv(d.Unix(), 86400) || IsDate([]byte(s)) != want {
			t.Fatalf("%q: %d, %t", s, n, ok)
		}
	}
	for y := 1896; y <= 2300; y++ {
		for m := range 14 {
			for d := range 33 {
				try(fmt.Sprintf("%04d-%02d-%02d", y, m, d))
			}
		}
	}
	for _, s := range []string{"2024-02-29", "1999-12-31", "0001-01-01", "9999-09-09"} {
		for i := range len(s) {
			for c := range 256 {
				b := []byte(s)
				b[i] = byte(c)
				try(string(b))
			}
		}
	}
}

// TestSet compares with a map: texts that share their ends, that are longer than a word, that are empty; in memory with and without something behind them.
func TestSet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		b := make([]byte, r.IntN(4)*r.IntN(8))
		for i := range b {
			b[i] = "ab\x00"[r.IntN(3)]
		}
		return string(b)
	}
	tables := 0
	for round := range 2000 {
		texts := make([]string, r.IntN(smallSet+8))
		want := map[string]bool{}
		for i := range texts {
			if texts[i] = text(); round%2 == 0 {
				texts[i] = fmt.Sprint(i, texts[i], i)
			}
			want[texts[i]] = true
		}
		s := NewSet(texts)
		if s.table != nil {
			tables++
		}
		for i := range 200 {
			v := text()
			if i < len(texts) {
				v = texts[i]
			}
			if got := s.Has([]byte(v)); got != want[v] {
				t.Fatalf("%q in %q: %t", v, texts, got)
			}
			long := []byte(v + "abcdefgh")
			if got := s.Has(long[:len(v)]); got != want[v] {
				t.Fatalf("%q with more behind it in %q: %t", v, texts, got)
			}
			if got := s.Has(bytes.Clone([]byte(v))[:len(v):len(v)]); got != want[v] {
				t.Fatalf("%q with nothing behind it in %q: %t", v, texts, got)
			}
		}
	}
	if tables < 1000 {
		t.Errorf("only %d of 2000 sets have a table", tables)
	}
	middle := strings.Repeat("x", 8)
	if s := NewSet([]string{middle + "a" + middle, middle + "b" + middle}); !s.Has([]byte(middle+"b"+middle)) || s.Has([]byte(middle+"c"+middle)) {
		t.Error("texts that differ in the middle only")
	}
}

func TestStraight(t *testing.T) {
	for pattern, straight := range map[string]bool{"[A-Z]{2}-[0-9]{6}": true, "ab": true, "ab|cd": false, "": true, "[a-z]+": true, "x|xy": true, "x{64}": true, "x{65}": false, "a*b": false, "(?i)ab": true, "[^a]": true} {
		p, err := NewPattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.dfa != nil && p.dfa.straight() != nil; got != straight {
			t.Errorf("%q: %t", pattern, got)
		}
	}
	p := newDFA(`\A(?:[A-Z]{2}-[0-9]{6})\z`).straight()
	for v, want := range map[string]bool{"AB-123456": true, "AB-12345": false, "AB-1234567": false, "aB-123456": false, "AB-12345x": false, "\xc1B-123456": false, "": false} {
		if p.match([]byte(v)) != want {
			t.Errorf("%q: %t", v, !want)
		}
	}
}
