package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"tarn/internal/check"
	"tarn/internal/check/contract"
	"tarn/internal/durable"
)

// ContractResult is a contract that was guessed.
type ContractResult struct {
	File    string // that was written
	Objects int
	Columns int
	Checks  int
}

// InitContract guesses a contract from a dataset as the manifest has it, and writes it beside the manifest.
func (r *Repo) InitContract(ctx context.Context, arg string, force bool) (*ContractResult, error) {
	ws, problems, err := r.versions(ctx, Selection{Paths: []string{arg}})
	if err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return nil, problems[0].Err
	}
	if len(ws) != 1 || ws[0].Prefix != "" {
		return nil, fmt.Errorf("%w: %s is not one dataset", ErrUsage, arg)
	}
	var bad []Problem
	src := &versionSource{r: r, w: ws[0], problems: &bad}
	defer src.close()
	name := ws[0].Dataset
	res, err := initContract(ctx, r.disk, src, filepath.Base(name), r.abs(name+ContractSuffix), force)
	if res != nil {
		res.File = name + ContractSuffix
	}
	return res, err
}

// InitFileContract guesses a contract from a file or a directory on the disk, and writes it beside it.
func InitFileContract(ctx context.Context, dir, arg string, force bool) (*ContractResult, error) {
	p := arg
	if !filepath.IsAbs(p) {
		p = filepath.Join(dir, arg)
	}
	src, err := newDiskSource(p)
	if err != nil {
		return nil, err
	}
	res, err := initContract(ctx, nil, src, filepath.Base(p), filepath.Clean(p)+ContractSuffix, force)
	if res != nil {
		res.File = arg + ContractSuffix
	}
	return res, err
}

func initContract(ctx context.Context, disk *durable.Disk, src check.Source, name, file string, force bool) (*ContractResult, error) {
	if _, err := os.Lstat(file); err == nil && !force {
		return nil, fmt.Errorf("%w: %s is there already", ErrRefused, file)
	}
	c, comments, err := check.Infer(ctx, src, name)
	if err != nil {
		return nil, fmt.Errorf("guess a contract: %w", err)
	}
	text, _, err := contract.EncodeODCS(c, name, comments)
	if err != nil {
		return nil, err
	}
	again, err := contract.Load(file, text)
	if err != nil {
		return nil, fmt.Errorf("guess a contract: %w", err)
	}
	res := &ContractResult{Objects: len(again.Objects), Checks: len(again.Checks)}
	for _, o := range again.Objects {
		res.Columns += len(o.Columns)
	}
	return res, disk.WriteFile(file, text, 0o666)
}

// ExportContract gives the contract that Check would use in another form: "odcs" or "table-schema". What that can't say is lost, and named.
func (r *Repo) ExportContract(ctx context.Context, arg, form string) (text []byte, lost []string, err error) {
	rev, p := splitRev(arg)
	s := Selection{Paths: []string{p}}
	if rev != "" {
		s.Revs = []string{rev}
	}
	ws, problems, err := r.versions(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	if len(problems) > 0 {
		return nil, nil, problems[0].Err
	}
	if len(ws) != 1 {
		return nil, nil, fmt.Errorf("%w: %s is not one dataset", ErrUsage, arg)
	}
	c, err := r.findContract(ctx, rev, ws[0], "")
	if err != nil {
		return nil, nil, err
	}
	return exportContract(c, form)
}

// ExportFile is ExportContract for a file.
func ExportFile(dir, file, form string) (text []byte, lost []string, err error) {
	p := file
	if !filepath.IsAbs(p) {
		p = filepath.Join(dir, file)
	}
	c, err := readContract(file, p)
	if err != nil {
		return nil, nil, err
	}
	return exportContract(c, form)
}

func exportContract(c *contract.Contract, form string) ([]byte, []string, error) {
	switch form {
	case "odcs":
		return contract.EncodeODCS(c, c.Name, nil)
	case "table-schema":
		var tables []*contract.Object
		for _, o := range c.Objects {
			if o.IsTable() {
				tables = append(tables, o)
			}
		}
		if len(tables) != 1 {
			return nil, nil, fmt.Errorf("%w: a Table Schema is of one table, and the contract has %d", ErrUsage, len(tables))
		}
		return contract.EncodeTableSchema(c, tables[0])
	}
	return nil, nil, fmt.Errorf("%w: a contract is exported as odcs or table-schema, not %q", ErrUsage, form)
}

// IsDataset says whether an argument names a dataset of the work tree, or something in one.
func (r *Repo) IsDataset(arg string) bool {
	p, err := r.rel(arg)
	if err != nil {
		return false
	}
	_, ok := r.owner(p)
	return ok
}
