package check

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"tarn/internal/check/contract"
	"tarn/internal/check/table"
)

// What an entry may be instead of a part of a table.
const (
	noTable = -1 // its name says that it is none
	unread  = -2 // not even its columns can be read
)

// inferOpen is how many files are open at once to read their labels, and inferPatterns how many patterns a table may need.
const (
	inferOpen     = 8
	inferPatterns = 500
)

// heading is what is known of a file by its begin, or a Parquet file by its end.
type heading struct {
	format string
	enc    string // as table.GuessEncoding says it, of what is cut into cells
	delim  byte
	labels []string
	hive   []string // columns that stand in its path
	bad    bool
}

// group finds out which files have the same columns.
func (f *inferring) group() error {
	for e, err := range f.in.Source.Entries(f.ctx) {
		if err != nil {
			return err
		}
		f.entries = append(f.entries, e)
	}
	heads := make([]heading, len(f.entries))
	g, ctx := errgroup.WithContext(f.ctx)
	g.SetLimit(inferOpen)
	for i, e := range f.entries {
		format, _ := table.FormatOf(e.Path)
		if heads[i].format = format; format == "" || ctx.Err() != nil {
			continue
		}
		heads[i].enc = f.known[i]
		g.Go(func() error {
			return f.heading(&heads[i], e)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := f.ascii(heads); err != nil {
		return err
	}
	f.owner = make([]int, len(heads))
	known := map[string]int{}
	for i := range heads {
		switch h := &heads[i]; {
		case h.format == "":
			f.owner[i] = noTable
		case h.bad:
			f.owner[i] = unread
		default:
			f.owner[i] = f.tableOf(h, known)
			f.own(i)
		}
	}
	f.adopt(heads)
	return f.ctx.Err()
}

func (f *inferring) own(i int) {
	g := f.owner[i]
	if g < 0 {
		f.left++
		return
	}
	f.tables[g].files = append(f.tables[g].files, i)
}

func (f *inferring) heading(h *heading, e Entry) (err error) {
	file, err := f.in.Source.Open(f.ctx, e)
	if err != nil {
		return fmt.Errorf("read %s: %w", e.Path, err)
	}
	defer file.Close()
	if h.enc == "" && h.cells() {
		if h.enc, err = table.GuessEncoding(f.ctx, e.Path, file, inferText); err != nil {
			return fmt.Errorf("read %s: %w", e.Path, err)
		}
	}
	r, err := table.Open(f.ctx, e.Path, file, table.Options{Wanted: func(string) bool { return false }, Dialect: table.Dialect{Encoding: h.dialect()}})
	var bad *table.Error
	if errors.As(err, &bad) {
		h.bad = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", e.Path, err)
	}
	h.labels = r.Labels()
	if c, ok := r.(interface{ Delimiter() byte }); ok && len(h.labels) > 1 {
		h.delim = c.Delimiter()
	}
	for k := range partitions(e.Path) {
		if !slices.Contains(h.labels, k) {
			h.hive = append(h.hive, k)
		}
	}
	slices.Sort(h.hive)
	return nil
}

// tableOf is the table that a file is of: of its format, encoding and delimiter, with its columns in any order. Objects of JSON need not have all keys, so there half
// of them is enough.
func (f *inferring) tableOf(h *heading, known map[string]int) int {
	labels := append(slices.Clone(h.labels), h.hive...)
	sorted := slices.Sorted(slices.Values(labels))
	key := fmt.Sprintf("%s %q", h.key(), sorted)
	if g, ok := known[key]; ok {
		return g
	}
	g := -1
	if h.format == "jsonl" {
		g = f.like(h)
	}
	if g < 0 {
		if len(f.tables) == inferTables {
			return noTable
		}
		g = len(f.tables)
		f.tables = append(f.tables, &inferred{format: h.format, enc: h.dialect(), labels: labels, hive: len(h.hive)})
	}
	t := f.tables[g]
	has := map[string]bool{}
	for _, l := range t.labels {
		has[l] = true
	}
	for _, l := range h.labels {
		if !has[l] {
			t.labels, has[l] = slices.Insert(t.labels, len(t.labels)-t.hive, l), true
		}
	}
	known[key] = g
	return g
}

// like is a table of JSON lines that has half of the keys that either of the two has; -1: there is none.
func (f *inferring) like(h *heading) int {
	return slices.IndexFunc(f.tables, func(t *inferred) bool {
		own := len(t.labels) - t.hive
		if t.format != h.format || !slices.Equal(t.labels[own:], h.hive) {
			return false
		}
		both := 0
		for _, l := range h.labels {
			if slices.Contains(t.labels[:own], l) {
				both++
			}
		}
		return 2*both >= own+len(h.labels)-both
	})
}

// adopt gives the files that can't be read to tables that are like them by their names, so that a check finds them.
func (f *inferring) adopt(heads []heading) {
	for i, e := range f.entries {
		if f.owner[i] != unread {
			continue
		}
		best := -1
		for g, t := range f.tables {
			if t.format != heads[i].format {
				continue
			}
			if path.Dir(f.entries[t.files[0]].Path) == path.Dir(e.Path) {
				best = g
				break
			}
			if best < 0 {
				best = g
			}
		}
		if best >= 0 {
			f.owner[i] = best
			f.tables[best].files = append(f.tables[best].files, i)
		}
	}
}

// common is the directory of all files of a table, and the begin that all names have, up to a separator.
func (f *inferring) common(t *inferred) (dir, stem string) {
	dir = path.Dir(f.entries[t.files[0]].Path)
	stem = path.Base(f.entries[t.files[0]].Path)
	whole := strings.TrimSuffix(stem, ending(stem))
	for _, n := range t.files {
		p := f.entries[n].Path
		for dir != "." && !strings.HasPrefix(p, dir+"/") {
			dir = path.Dir(dir)
		}
		stem = stem[:prefixLen(stem, path.Base(p))]
		if base := path.Base(p); strings.TrimSuffix(base, ending(base)) != whole {
			whole = ""
		}
	}
	if whole != "" {
		return dir, whole
	}
	cut := strings.TrimRight(stem, "0123456789")
	if i := strings.LastIndexAny(cut, "-_. "); cut == stem {
		cut = cut[:i+1]
	}
	return dir, cut
}

func prefixLen(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// pattern is a glob that selects the files of a table and no other entry: the shortest that does, or a list. False: the list would be too long.
func (f *inferring) pattern(g int) (string, bool) {
	t := f.tables[g]
	if len(t.files) == 1 {
		return escapeGlob(f.entries[t.files[0]].Path), true
	}
	dir, stem := f.common(t)
	dir = escapeGlob(dir) + "/"
	if dir == "./" {
		dir = ""
	}
	ends := f.endings(t.files)
	for _, p := range []string{dir + "*" + ends, dir + "**/*" + ends, dir + "**/" + escapeGlob(stem) + ends, dir + escapeGlob(stem) + "*" + ends, dir + "**/" + escapeGlob(stem) + "*" + ends} {
		if f.exact(g, p, t.files) {
			return p, true
		}
	}
	return f.list(g)
}

// list puts the directories of a table side by side, and where they hold other tables too the files.
func (f *inferring) list(g int) (string, bool) {
	dirs := map[string][]int{}
	for _, n := range f.tables[g].files {
		d := path.Dir(f.entries[n].Path)
		dirs[d] = append(dirs[d], n)
	}
	var parts []string
	for d, files := range dirs {
		p := escapeGlob(path.Join(d, "x"))
		p = p[:len(p)-1] + "*" + f.endings(files)
		switch {
		case len(files) > 1 && len(parts) < inferPatterns && f.exact(g, p, files):
			parts = append(parts, p)
		default:
			for _, n := range files {
				parts = append(parts, escapeGlob(f.entries[n].Path))
			}
		}
		if len(parts) > inferPatterns {
			return "", false
		}
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ",") + "}", true
}

// endings are those of the files, as a glob.
func (f *inferring) endings(files []int) string {
	var ends []string
	for _, n := range files {
		if e := escapeGlob(ending(f.entries[n].Path)); !slices.Contains(ends, e) {
			ends = append(ends, e)
		}
	}
	if len(ends) == 1 {
		return ends[0]
	}
	slices.Sort(ends)
	return "{" + strings.Join(ends, ",") + "}"
}

// exact says that a pattern selects the files, which are of a table, and nothing else.
func (f *inferring) exact(g int, pattern string, files []int) bool {
	p, err := contract.NewGlob(pattern)
	if err != nil {
		return false
	}
	n := 0
	for i, e := range f.entries {
		if p.Match(e.Path) {
			if f.owner[i] != g {
				return false
			}
			n++
		}
	}
	return n == len(files)
}

// union is a glob for a few paths.
func union(paths []string) string {
	for i, p := range paths {
		paths[i] = escapeGlob(p)
	}
	if len(paths) == 1 {
		return paths[0]
	}
	return "{" + strings.Join(paths, ",") + "}"
}

// escapeGlob makes a path a pattern for itself; bytes that are no text match any character.
func escapeGlob(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); {
		r, n := utf8.DecodeRuneInString(p[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteByte('?')
		case strings.ContainsRune("*?[{},", r):
			b.WriteString("[" + p[i:i+n] + "]")
		default:
			b.WriteString(p[i : i+n])
		}
		i += n
	}
	return b.String()
}

// ending is the extension of a name, with the one below it where that is a compression's.
func ending(name string) string {
	ext := path.Ext(name)
	if _, compression := table.FormatOf(name); compression != "" {
		ext = path.Ext(strings.TrimSuffix(name, ext)) + ext
	}
	return ext
}
