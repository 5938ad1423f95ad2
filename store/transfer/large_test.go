package transfer

import "testing"

// A range of what compresses well is bounded by what it becomes.
func TestStretchIsBoundedByRawBytes(t *testing.T) {
	var ps []WantPiece
	for i := range 1000 {
		p := WantPiece{}
		p.Offset, p.Stored, p.Raw = uint32(100*i), 100, 1<<20
		ps = append(ps, p)
	}
	for len(ps) > 0 {
		n := stretch(ps)
		if n != min(largeRaw>>20, len(ps)) {
			t.Fatalf("%d pieces of 1 MiB in one range", n)
		}
		ps = ps[n:]
	}
	one := WantPiece{}
	one.Stored, one.Raw = 100, 2*largeRaw
	if n := stretch([]WantPiece{one, one}); n != 1 {
		t.Errorf("%d pieces", n)
	}
}
