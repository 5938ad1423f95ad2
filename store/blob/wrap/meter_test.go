package wrap

import (
	"io"
	"testing"

	"tarn/store/blob"
	"tarn/store/blob/mem"
)

func TestMeter(t *testing.T) {
	m := NewMeter(NewFault(mem.New(), at(map[int]Outcome{3: FailMidway, 8: FailMidway})))
	_, err := m.Put(ctx, "x", make([]byte, 100), blob.Condition{}) // 1
	must(t, err)
	_, _ = m.Put(ctx, "x", make([]byte, 10), blob.Condition{Absent: true}) // 2: fails
	r, _, err := m.Get(ctx, "x", 0, -1)                                    // 3: breaks after 50
	must(t, err)
	_, _ = io.Copy(io.Discard, r)
	r.Close()
	before := m.Snapshot()
	r, _, err = m.Get(ctx, "x", 90, 7) // 4
	must(t, err)
	_, _ = io.Copy(io.Discard, r)
	r.Close()
	_, _, _ = m.Get(ctx, "none", 0, -1) // 5: fails
	_, _ = m.Stat(ctx, "x")             // 6
	_ = m.Delete(ctx, "x")              // 7
	for range m.List(ctx, "", "") {     // 8: breaks
	}
	want := Counts{Put: 2, Get: 3, Stat: 1, List: 1, Delete: 1, Failed: 4, Up: 110, Down: 57}
	if got := m.Snapshot(); got != want || got.Requests() != 8 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := m.Snapshot().Sub(before); got != (Counts{Get: 2, Stat: 1, List: 1, Delete: 1, Failed: 2, Down: 7}) {
		t.Errorf("since: %+v", got)
	}
}
