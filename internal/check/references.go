package check

import (
	"context"
	"fmt"

	"tarn/internal/check/contract"
)

// references reads what foreign keys refer to: other objects of the contract, other files, other datasets.
func (r *run) references(ctx context.Context) error {
	for _, s := range r.states {
		if s.Kind != contract.ForeignKey || s.skipped != "" {
			continue
		}
		if err := r.reference(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) reference(ctx context.Context, s *state) error {
	o, err := r.referred(ctx, s)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.broke("read what %s refers to: %v", s.Key, err)
		return nil
	}
	source := r.in.Source
	if s.Ref.Dataset != "" {
		if source, err = r.in.Reference(ctx, s.Ref.Dataset); err != nil {
			s.broke("%v", err)
			return nil
		}
	}
	if len(o.files) == 0 {
		s.judged, s.note = true, "there is no file that it could refer to"
		return nil
	}
	// The columns are read as those that refer to them are, so that 1 and 01 are the same where they are integers.
	from := s.Object
	for i, name := range s.Ref.Columns {
		c := *from.Column(s.Columns[i])
		c.Name, c.Missing = name, nil
		o.Columns = append(o.Columns, &c)
	}
	sub := &run{in: r.in}
	sub.in.Source = source
	target := &state{Check: &contract.Check{Key: s.Key, Kind: contract.ForeignKey, Object: o.Object, Columns: s.Ref.Columns}, sorter: s.sorter, referred: true}
	reading := &state{Check: &contract.Check{Kind: contract.Source, Object: o.Object, Code: "source-error"}}
	o.checks = []*state{reading, target}
	if err := sub.table(ctx, o); err != nil {
		return err
	}
	r.bytes.Add(sub.bytes.Load())
	r.rows += sub.rows
	switch {
	case target.errored != "":
		s.broke("%s", target.errored)
	case reading.count > 0:
		s.broke("what it refers to can't be read to the end")
	case target.skipped != "":
		s.judged, s.note = true, "what it refers to lacks a column: "+fmt.Sprint(s.Ref.Columns)
	}
	return nil
}

// referred is the table that a foreign key refers to, with its files.
func (r *run) referred(ctx context.Context, s *state) (*object, error) {
	o := &object{Object: &contract.Object{Name: s.Key, Match: contract.Subset, Missing: []string{""}}}
	if s.Ref.Object != "" {
		for _, other := range r.objects {
			if other.Name == s.Ref.Object {
				o.Format, o.Dialect, o.Missing, o.files = other.Format, other.Dialect, other.Missing, other.files
				return o, nil
			}
		}
	}
	glob, err := contract.NewGlob(s.Ref.Files)
	if err != nil {
		return nil, err
	}
	source := r.in.Source
	if s.Ref.Dataset != "" {
		if r.in.Reference == nil {
			return nil, fmt.Errorf("there is no dataset %s here", s.Ref.Dataset)
		}
		if source, err = r.in.Reference(ctx, s.Ref.Dataset); err != nil {
			return nil, err
		}
	}
	o.Files = glob
	for e, err := range source.Entries(ctx) {
		if err != nil {
			return nil, err
		}
		if glob.Match(e.Path) {
			o.files = append(o.files, e)
		}
	}
	return o, nil
}
