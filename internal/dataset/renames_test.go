package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tarn/index"
	"tarn/store/digest"
)

// changesOf reads "-a:1 +b:1 ~c:1>2": removed, added, modified, each with its content.
func changesOf(text string) []DiffChange {
	var out []DiffChange
	file := func(path, content string) *index.Entry {
		e := &index.Entry{Path: path, Kind: index.File, Digest: digest.Sum([]byte(content)), Size: int64(len(content))}
		if strings.HasPrefix(content, "@") {
			*e = index.Entry{Path: path, Kind: index.Link, Target: content[1:]}
		}
		return e
	}
	for _, w := range strings.Fields(text) {
		name, content, _ := strings.Cut(w[1:], ":")
		c := DiffChange{Dataset: "d", Path: name}
		switch w[0] {
		case '-':
			c.Old = file(name, content)
		case '+':
			c.New = file(name, content)
		case '~':
			old, new, _ := strings.Cut(content, ">")
			c.Old, c.New = file(name, old), file(name, new)
		}
		out = append(out, c)
	}
	return out
}

// renamed passes changes through renames, and writes each that comes out: "D a", "R b>c".
func renamed(t *testing.T, limit int, text string) (string, *renames) {
	t.Helper()
	var out []string
	r := &renames{limit: limit, emit: func(c DiffChange) error {
		s := c.Kind().Letter() + " " + c.Path
		if c.FromPath != "" {
			s = "R " + c.FromPath + ">" + c.Path
			if c.Old.Path != c.FromPath || c.New.Path != c.Path || c.Old.Digest != c.New.Digest {
				t.Errorf("%s pairs %+v with %+v", s, c.Old, c.New)
			}
		}
		out = append(out, s)
		return nil
	}}
	for _, c := range changesOf(text) {
		must(t, r.add(c))
		if len(r.held) > max(limit, 0) {
			t.Errorf("holds %d changes", len(r.held))
		}
	}
	must(t, r.flush())
	return strings.Join(out, ", "), r
}

func TestRenames(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"-a:1 +b:1", "R a>b"},
		{"+a:1 -b:1", "R b>a"},
		{"-a:1 +b:2", "D a, A b"},
		{"-a:1 ~b:1>2 +c:1", "M b, R a>c"},
		{"~a:1>2 -b:1 +c:3", "M a, D b, A c"},
		// One of each makes a pair; what is left over was added or removed.
		{"-a:1 -b:1 +c:1", "D b, R a>c"},
		{"-a:1 +b:1 +c:1", "R a>b, A c"},
		{"-a:1 -b:1 +c:1 +d:1", "R a>c, R b>d"},
		// The last element of the path decides between files of the same bytes.
		{"-x/a:1 -x/b:1 +y/b:1 +z/a:1", "R x/b>y/b, R x/a>z/a"},
		{"-x/a:1 -x/b:1 +y/b:1", "D x/a, R x/b>y/b"},
		{"-x/a:1 +y/b:1 +z/a:1", "A y/b, R x/a>z/a"},
		// Files of no bytes, links and what was modified are no halves.
		{"-a: +b:", "D a, A b"},
		{"-a:@x +b:@x", "D a, A b"},
		{"-a:1 ~b:2>1", "D a, M b"},
	} {
		if got, _ := renamed(t, 100, c.in); got != c.want {
			t.Errorf("%s becomes %s, not %s", c.in, got, c.want)
		}
		for _, limit := range []int{0, -1} {
			if got, r := renamed(t, limit, c.in); strings.Contains(got, "R ") || r.skipped {
				t.Errorf("%s becomes %s without renames", c.in, got)
			}
		}
	}
}

// TestRenameLimit: as many changes as the limit are held, of one more none is a rename.
func TestRenameLimit(t *testing.T) {
	if got, r := renamed(t, 3, "~0:1>2 -a:1 +b:2 +c:1"); got != "M 0, A b, R a>c" || r.skipped {
		t.Errorf("%s, %v", got, r.skipped)
	}
	if got, r := renamed(t, 3, "-a:1 +b:2 +c:1 ~d:1>2 +e:5"); got != "D a, A b, A c, M d, A e" || !r.skipped {
		t.Errorf("%s, %v", got, r.skipped)
	}
}

// TestRenameLetsGo: what is held does not hold the entries that it came with.
func TestRenameLetsGo(t *testing.T) {
	c := changesOf("-a:1")[0]
	var got []DiffChange
	r := &renames{limit: 10, emit: func(c DiffChange) error { got = append(got, c); return nil }}
	must(t, r.add(c))
	*c.Old = index.Entry{}
	must(t, r.flush())
	if len(got) != 1 || got[0].Old.Path != "a" {
		t.Errorf("%+v", got)
	}
}

func TestRenameStops(t *testing.T) {
	stop := errors.New("stop")
	for _, limit := range []int{0, 1, 10} {
		r := &renames{limit: limit, emit: func(DiffChange) error { return stop }}
		var err error
		for _, c := range changesOf("-a:1 +b:1") {
			err = errors.Join(err, r.add(c))
		}
		if err = errors.Join(err, r.flush()); !errors.Is(err, stop) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

// TestRenameMany: files of the same bytes, as many as are held, take no time that grows with their square.
func TestRenameMany(t *testing.T) {
	const n = 50_000
	same := &index.Entry{Kind: index.File, Digest: digest.Sum([]byte("x")), Size: 1}
	kinds := map[ChangeKind]int{}
	r := &renames{limit: 2 * n, emit: func(c DiffChange) error { kinds[c.Kind()]++; return nil }}
	for i := range n {
		must(t, r.add(DiffChange{Path: fmt.Sprint("a", i), Old: same}))
		must(t, r.add(DiffChange{Path: fmt.Sprint("b", i), New: same}))
	}
	must(t, r.flush())
	if kinds[ChangeRenamed] != n || len(kinds) != 1 {
		t.Error(kinds)
	}
}

func TestChangeWords(t *testing.T) {
	var words []string
	for _, c := range changesOf("+a:1 -a:1 ~a:1>2 ~a:@x>@y ~a:1>@x") {
		words = append(words, c.Kind().String()+" "+c.Kind().Letter())
	}
	x := changesOf("~a:1>1")[0]
	x.New.Kind = index.Exec
	words = append(words, x.Kind().String()+" "+x.Kind().Letter())
	want := []string{"added A", "removed D", "modified M", "modified M", "type changed T", "mode changed M"}
	if !slices.Equal(words, want) {
		t.Errorf("%q", words)
	}
}
