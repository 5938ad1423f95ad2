package dataset

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"tarn/internal/check"
	"tarn/internal/check/cell"
	"tarn/internal/check/contract"
	"tarn/internal/check/table"
	"tarn/internal/profile"
)

// tableFiles are the files that make one table.
type tableFiles struct {
	name   string // of the contract's object, or the files as a glob
	files  []check.Entry
	o      profile.Options
	object *contract.Object // nil: no contract knows it
	media  profile.Media    // not "": each file is a row
}

// maxTableFiles is how many files a side may have: they are listed in memory.
const maxTableFiles = 2_000_000

// findTables groups files as the contract does, and others by directory and ending. With media pictures and texts are tables,
// too, each file a row. others counts the files that are in none.
func findTables(ctx context.Context, src check.Source, c *contract.Contract, single, media bool) (ts []*tableFiles, others int64, err error) {
	byName := map[string]*tableFiles{}
	n := 0
	for e, err := range src.Entries(ctx) {
		if err != nil {
			return nil, 0, err
		}
		if n++; n > maxTableFiles {
			return nil, 0, fmt.Errorf("there are more than %d files", maxTableFiles)
		}
		o, name := tableOf(c, e, single)
		m := profile.Media("")
		if o == nil {
			format, _ := table.FormatOf(e.Path)
			if m = profile.MediaOf(e.Path); m != "" && (media || single) {
				name = "all " + string(m)
			} else if m = ""; format == "" && !single {
				others++
				continue
			}
		}
		t := byName[name]
		if t == nil {
			t = &tableFiles{name: name, object: o, o: tableOptions(o), media: m}
			byName[name], ts = t, append(ts, t)
		}
		t.files = append(t.files, e)
	}
	slices.SortFunc(ts, func(a, b *tableFiles) int { return strings.Compare(a.name, b.name) })
	return ts, others, nil
}

// tableOf is the table of the contract that a file is of; else a name for files like it.
func tableOf(c *contract.Contract, e check.Entry, single bool) (*contract.Object, string) {
	if c != nil {
		var tables []*contract.Object
		for _, o := range c.Objects {
			if o.IsTable() {
				tables = append(tables, o)
			}
		}
		if single && len(tables) == 1 {
			return tables[0], tables[0].Name
		}
		format, _ := table.FormatOf(e.Path)
		for _, o := range tables {
			if o.Files.Everything() && (format != "" || o.Format != "") || !o.Files.Everything() && o.Files.Match(e.Path) {
				return o, o.Name
			}
		}
	}
	if single {
		return nil, "table"
	}
	ext := path.Ext(e.Path)
	if _, compression := table.FormatOf(e.Path); compression != "" {
		ext = path.Ext(strings.TrimSuffix(e.Path, ext)) + ext
	}
	return nil, path.Join(path.Dir(e.Path), "*"+ext)
}

// tableOptions are how the contract says that files are read.
func tableOptions(o *contract.Object) (po profile.Options) {
	if o == nil {
		return po
	}
	po.Table = check.TableOptions(o)
	for _, m := range o.Missing {
		if m != "" {
			po.Nulls = append(po.Nulls, m)
		}
	}
	for _, c := range o.Columns {
		if c.Spec.Type == cell.String {
			po.Texts = append(po.Texts, c.Name)
		}
	}
	slices.Sort(po.Texts)
	return po
}
