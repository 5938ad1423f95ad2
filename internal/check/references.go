package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"

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
	o, source, err := r.referred(ctx, s)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.broke("read what %s refers to: %v", s.Key, err)
		return nil
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

// referred is the table that a foreign key refers to, with its files, and where they are.
func (r *run) referred(ctx context.Context, s *state) (*object, Source, error) {
	o := &object{Object: &contract.Object{Name: s.Key, Match: contract.Subset, Missing: []string{""}}}
	if i := slices.IndexFunc(r.objects, func(other *object) bool { return other.Name == s.Ref.Object }); i >= 0 && s.Ref.Object != "" {
		other := r.objects[i]
		o.Format, o.Dialect, o.Missing, o.Files = other.Format, other.Dialect, other.Missing, other.Files
		if !r.in.Part || r.in.Whole == nil && len(other.files) > 0 {
			o.files = other.files
			return o, r.in.Source, nil
		}
	} else if glob, err := contract.NewGlob(s.Ref.Files); err != nil {
		return nil, nil, err
	} else {
		o.Files = glob
	}
	source, elsewhere := cmp.Or(r.in.Whole, r.in.Source), s.Ref.Dataset
	if elsewhere == "" && r.in.Single {
		switch {
		case o.Files.Everything():
			return nil, nil, fmt.Errorf("the contract does not say which files %s is made of", s.Ref.Object)
		case o.Files.Literal():
			elsewhere, o.Files = o.Files.String(), contract.Glob{}
		default:
			elsewhere = "."
		}
	}
	if elsewhere != "" {
		if r.in.Reference == nil {
			return nil, nil, fmt.Errorf("there is no dataset %s here", elsewhere)
		}
		var err error
		if source, err = r.in.Reference(ctx, elsewhere); err != nil {
			return nil, nil, err
		}
	}
	for e, err := range source.Entries(ctx) {
		if err != nil {
			return nil, nil, err
		}
		if made := isPart(o.Object, e.Path); made || r.in.Single && o.Files.Everything() {
			o.files = append(o.files, e)
		}
	}
	return o, source, nil
}
