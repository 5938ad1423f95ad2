package check

import (
	"fmt"
	"slices"

	"tarn/internal/check/table"
)

// inferText is how much of a file is looked at to guess its encoding, in bytes of text; what comes behind it is looked at when it turns out to be no UTF-8.
const inferText = 1 << 20

// cells says whether a file is cut into cells: JSON is always UTF-8.
func (h *heading) cells() bool { return h.format == "csv" || h.format == "tsv" }

// dialect is the encoding that a contract has to name; "" for none.
func (h *heading) dialect() string {
	if h.enc == table.Windows1252 {
		return h.enc
	}
	return ""
}

// key tells files apart that are not of one table, whatever their columns.
func (h *heading) key() string { return fmt.Sprintf("%s %q %s", h.format, h.delim, h.dialect()) }

// ascii puts files that have nothing but ASCII with those of their kind that are in another encoding, for they are in that one, too, unless some are UTF-8.
func (f *inferring) ascii(heads []heading) error {
	kinds := map[string]map[string]bool{} // encodings, by format, delimiter and columns
	kind := func(h *heading) string {
		return fmt.Sprintf("%s %q %q", h.format, h.delim, slices.Sorted(slices.Values(append(slices.Clone(h.labels), h.hive...))))
	}
	for i := range heads {
		h := &heads[i]
		if h.bad || h.enc == "" {
			continue
		}
		k := kind(h)
		if kinds[k] == nil {
			kinds[k] = map[string]bool{}
		}
		kinds[k][h.enc] = true
	}
	for i := range heads {
		h := &heads[i]
		if h.bad || h.enc != table.ASCII {
			continue
		}
		if k := kinds[kind(h)]; !k[table.Windows1252] || k[table.UTF8] {
			continue
		}
		enc, err := f.encoding(i)
		if err != nil {
			return err
		}
		if enc != table.UTF8 {
			enc = table.Windows1252
		}
		h.enc = enc
	}
	return f.ctx.Err()
}

// encoding looks at all of a file.
func (f *inferring) encoding(i int) (string, error) {
	if enc, ok := f.known[i]; ok {
		return enc, nil
	}
	e := f.entries[i]
	file, err := f.in.Source.Open(f.ctx, e)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", e.Path, err)
	}
	defer file.Close()
	enc, err := table.GuessEncoding(f.ctx, e.Path, file, 0)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", e.Path, err)
	}
	f.known[i] = enc
	return enc, nil
}

// lookAgain looks at all of the files of tables that turned out to have bytes that are no UTF-8. True: some are in another encoding than it seemed by their
// begin, and the guesses start anew.
func (f *inferring) lookAgain() (again bool, err error) {
	for _, t := range f.tables {
		if !t.badText || t.enc != "" || t.format != "csv" && t.format != "tsv" {
			continue
		}
		for _, i := range t.files {
			if _, ok := f.known[i]; ok {
				continue
			}
			enc, err := f.encoding(i)
			if err != nil {
				return false, err
			}
			again = again || enc == table.Windows1252
		}
	}
	return again, nil
}
