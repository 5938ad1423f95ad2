package check

import (
	"slices"

	"tarn/internal/check/cell"
	"tarn/internal/check/contract"
	"tarn/internal/check/report"
)

// prove holds guesses that rest on a part of the data against all of them, and takes back those that don't hold.
func (f *inferring) prove() error {
	if !slices.ContainsFunc(f.tables, func(t *inferred) bool { return t.partial }) {
		return nil
	}
	for {
		text, _, err := contract.EncodeODCS(f.c, f.c.Name, nil)
		if err != nil {
			return err
		}
		in := f.in
		if in.Contract, err = contract.Load("", text); err != nil {
			return err
		}
		in.Shown = -1
		res, err := Run(f.ctx, in)
		if err != nil {
			return err
		}
		changed := false
		for _, c := range res.Checks {
			if c.Status == report.Failed && c.Kind == string(contract.Source) {
				f.notRead(c.Object)
			}
			changed = c.Status == report.Failed && f.takeBack(&c) || changed
		}
		if !changed {
			return nil
		}
	}
}

// takeBack widens the type that a check wanted, or drops what it stands for. False: it is none of the guesses, but a flaw of the data.
func (f *inferring) takeBack(c *report.Check) bool {
	for _, t := range f.tables {
		if t.object == nil || t.object.Name != c.Object || len(c.Columns) != 1 {
			continue
		}
		col := t.object.Column(c.Columns[0])
		if c.Kind == string(contract.TypeOf) {
			types := t.cols[slices.Index(t.labels, col.Name)].types
			at := slices.Index(types, col.Spec.Type)
			if col.Spec.Type = cell.Any; at+1 < len(types) {
				col.Spec.Type = types[at+1]
			}
			return true
		}
		n := len(f.c.Checks)
		f.c.Checks = slices.DeleteFunc(f.c.Checks, func(k *contract.Check) bool {
			return k.Object == t.object && string(k.Kind) == c.Kind && slices.Equal(k.Columns, c.Columns)
		})
		return len(f.c.Checks) < n
	}
	return false
}

// notRead notes that files of a table can't be read to their end, or have bytes that are no text.
func (f *inferring) notRead(object string) {
	for _, t := range f.tables {
		t.badText = t.badText || t.object != nil && t.object.Name == object
	}
}
