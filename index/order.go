package index

import (
	"fmt"
	"sort"
	"strings"
)

// order checks that paths come strictly ascending and that none stands below another. Between "a" and "a/b" others may stand
// ("a.txt"), so it keeps every earlier path that the current one starts with.
type order struct {
	last string
	open []string // the paths that last starts with, itself included, shortest first
}

// next takes the following path. That open's longest is looked at is enough: what is below a shorter one was refused before.
func (o *order) next(path string) error {
	if path <= o.last {
		if path == o.last {
			return fmt.Errorf("path %s stands twice", Quote(path))
		}
		return fmt.Errorf("path %s stands after %s: not sorted", Quote(path), Quote(o.last))
	}
	o.last = path
	o.open = trimOpen(o.open, path)
	if n := len(o.open); n > 0 && below(path, o.open[n-1]) {
		return conflict(path, o.open[n-1])
	}
	o.open = append(o.open, path)
	return nil
}

// trimOpen drops what path does not start with.
func trimOpen(open []string, path string) []string {
	n := len(open)
	for n > 0 && !strings.HasPrefix(path, open[n-1]) {
		n--
	}
	return open[:n]
}

// below says that path, which starts with top, would be inside of top.
func below(path, top string) bool { return top[len(top)-1] == '/' || path[len(top)] == '/' }

func conflict(path, top string) error {
	return fmt.Errorf("path %s is below %s", Quote(path), Quote(top))
}

// fence checks the same across pages, each of which was checked by itself.
type fence struct {
	open []string // paths of earlier pages that the last one's last path starts with
}

// pass takes the entries of the next page, and its own open paths.
func (f *fence) pass(entries []Entry, open []string) error {
	for _, top := range f.open {
		from := strings.TrimSuffix(top, "/") + "/"
		i := sort.Search(len(entries), func(i int) bool { return entries[i].Path >= from })
		if i < len(entries) && strings.HasPrefix(entries[i].Path, from) {
			return conflict(entries[i].Path, top)
		}
	}
	f.open = trimOpen(f.open, entries[len(entries)-1].Path)
	for _, s := range open {
		f.open = append(f.open, strings.Clone(s)) // a clone does not hold the page's memory
	}
	return nil
}
