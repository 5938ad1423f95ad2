package spill

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// memory is a Temp that remembers whether it was closed.
type memory struct {
	bytes.Buffer
	closed bool
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.Bytes()).ReadAt(p, off)
}
func (m *memory) Close() error { m.closed = true; return nil }

func TestSorter(t *testing.T) {
	for _, limit := range []int64{1 << 30, 1024 * Size, 1500 * Size} {
		temp := &memory{}
		s := New(limit, func() (Temp, error) { return temp, nil })
		r := rand.New(rand.NewPCG(1, 2))
		var want []Record
		for range 200 {
			recs := make([]Record, 50)
			for i := range recs {
				hash := r.Uint64N(500) << (r.Uint64N(2) * 55)
				if i%2 == 0 {
					hash = Hash([]byte{byte(r.Uint32N(50)), byte(r.Uint32N(50))})[0]
				}
				recs[i] = Record{Hash: [2]uint64{hash, r.Uint64N(3)}, File: r.Uint32N(3), Row: r.Int64N(100), Tag: uint32(r.UintN(2))}
				recs[i].SetValue(bytes.Repeat([]byte("x"), r.IntN(40)))
			}
			want = append(want, recs...)
			if err := s.Add(recs); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortStableFunc(want, func(a, b Record) int { return compare(&a, &b) })
		i := 0
		err := s.Each(func(r *Record, same bool) error {
			if compare(r, &want[i]) != 0 || same != (i > 0 && want[i-1].Hash == want[i].Hash) {
				t.Fatalf("limit %d: record %d is %v, want %v", limit, i, r, want[i])
			}
			i++
			return nil
		})
		if err != nil || i != len(want) {
			t.Fatalf("limit %d: %d of %d records, %v", limit, i, len(want), err)
		}
		if (s.Spilled() > 0) != (limit < 1<<30) {
			t.Errorf("limit %d: %d bytes were spilled", limit, s.Spilled())
		}
		if err := s.Close(); err != nil || temp.closed != (limit < 1<<30) {
			t.Errorf("limit %d: closed %t, %v", limit, temp.closed, err)
		}
	}
}

func TestValue(t *testing.T) {
	for in, want := range map[string]string{"": "", "abc": "abc", "12345678901234567890123": "12345678901234567890123", "123456789012345678901234": "12345678901234567890123…"} {
		var r Record
		r.SetValue([]byte(in))
		var b [Size]byte
		r.encode(&b)
		var back Record
		back.decode(&b)
		if got := back.Value(); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

var errDisk = errors.New("disk full")

type full struct{ memory }

func (*full) Write([]byte) (int, error) { return 0, errDisk }

func TestSorterErrors(t *testing.T) {
	for name, temp := range map[string]func() (Temp, error){
		"no file":   func() (Temp, error) { return nil, errDisk },
		"full disk": func() (Temp, error) { return &full{}, nil },
	} {
		s := New(0, temp)
		if err := s.Add(make([]Record, 3000)); !errors.Is(err, errDisk) {
			t.Errorf("%s: add: %v", name, err)
		}
		if err := s.Each(func(*Record, bool) error { return nil }); !errors.Is(err, errDisk) {
			t.Errorf("%s: an error was forgotten: %v", name, err)
		}
	}
	cut := &memory{}
	s := New(0, func() (Temp, error) { return cut, nil })
	if err := s.Add(make([]Record, 3000)); err != nil {
		t.Fatal(err)
	}
	cut.Truncate(Size * 10)
	if err := s.Each(func(*Record, bool) error { return nil }); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a file that was cut: %v", err)
	}
}
