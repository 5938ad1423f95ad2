package cli

import (
	"context"
	"errors"
	"fmt"

	"tarn/index"
	"tarn/internal/dataset"
)

type checkInitResult struct {
	Written jsonPath `json:"written"`
	Objects int      `json:"objects"`
	Columns int      `json:"columns"`
	Checks  int      `json:"checks"`
	Left    int      `json:"left_out"`
	next    string
}

// Text says what to do with the guesses.
func (r *checkInitResult) Text(p *printer) {
	p.f("%s written: %s, %s, %s.\n", index.Quote(string(r.Written)), many(int64(r.Objects), "object"), many(int64(r.Columns), "column"), many(int64(r.Checks), "check"))
	if r.Left > 0 {
		p.f("%s of more tables are not in it.\n", many(int64(r.Left), "file"))
	}
	p.f("Each is a guess and marked so. Next: read it, correct it, then %s\n", clean(r.next))
}

// initContract writes a contract beside a dataset, or beside a file that is in none.
func (a *app) initContract(ctx context.Context, o *checkOptions) error {
	if len(o.Targets) != 1 || o.Contract != "" {
		return fmt.Errorf("%w: --init takes one dataset or file, and no contract", dataset.ErrUsage)
	}
	arg := o.Targets[0]
	r, err := a.open(ctx)
	if err != nil && !errors.Is(err, dataset.ErrNoRepo) {
		return err
	}
	var res *dataset.ContractResult
	next := "tarn check " + arg
	if err == nil && r.IsDataset(arg) {
		if res, err = r.InitContract(ctx, arg, o.force); err == nil {
			res.File = a.rel(res.File)
		}
	} else {
		if res, err = dataset.InitFileContract(ctx, a.dir, arg, o.force); err == nil {
			next += " --contract " + res.File
		}
	}
	if err != nil {
		return err
	}
	return a.show("check", &checkInitResult{jsonPath(res.File), res.Objects, res.Columns, res.Checks, res.Left, next})
}

// exportContract prints a contract in another form; what that can't say goes to stderr.
func (a *app) exportContract(ctx context.Context, o *checkOptions) error {
	var text []byte
	var lost []string
	var err error
	switch {
	case o.Contract != "" && len(o.Targets) == 0:
		text, lost, err = dataset.ExportFile(a.dir, o.Contract, o.export)
	case o.Contract == "" && len(o.Targets) == 1:
		var r *dataset.Repo
		if r, err = a.open(ctx); err == nil {
			text, lost, err = r.ExportContract(ctx, o.Targets[0], o.export)
		}
	default:
		err = fmt.Errorf("%w: --export takes one dataset, or --contract FILE", dataset.ErrUsage)
	}
	if err != nil {
		return err
	}
	rep := a.reporter()
	for _, l := range lost {
		rep.Warn(o.export, "it can't say: "+l)
	}
	_, err = a.Out.Write(text)
	return err
}
