package dataset

import (
	"testing"

	"tarn/index"
	"tarn/store/digest"
)

func TestStateOf(t *testing.T) {
	file := func(s string) *index.Entry {
		return &index.Entry{Path: "p", Kind: index.File, Digest: digest.Sum([]byte(s)), Size: int64(len(s))}
	}
	exec := func(s string) *index.Entry { e := file(s); e.Kind = index.Exec; return e }
	link := &index.Entry{Path: "p", Kind: index.Link, Target: "q"}
	a, b, c := file("a"), file("b"), file("c")
	for _, tt := range []struct {
		name       string
		w, base, m *index.Entry
		want       State
	}{
		{"as it should be", a, a, a, Clean},
		{"index lost", a, nil, a, Clean},
		{"nowhere but in the index", nil, a, nil, Clean},
		{"added here", a, nil, nil, New},
		{"fresh clone", nil, nil, a, NotCheckedOut},
		{"edited", b, a, a, Modified},
		{"edited, index lost", b, nil, a, Modified},
		{"made executable", exec("a"), a, a, ModeChanged},
		{"made executable and edited", exec("b"), a, a, Modified},
		{"replaced by a link", link, a, a, TypeChanged},
		{"removed", nil, a, a, Deleted},
		{"git pulled a new version", a, a, b, Stale},
		{"git pulled its removal", a, a, nil, Stale},
		{"git pulled the same edit", b, a, b, Clean},
		{"both edited", b, a, c, Diverged},
		{"removed here, edited there", nil, a, b, Diverged},
		{"edited here, removed there", b, a, nil, Diverged},
	} {
		if got := stateOf(tt.w, tt.base, tt.m); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
