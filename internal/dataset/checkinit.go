package dataset

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"tarn/index"
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
	Left    int // files of tables that the contract leaves out, as there are too many different ones
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
	name := ws[0].Dataset
	if err := newContract(r.abs(name+ContractSuffix), r.typed(name+ContractSuffix), arg, force); err != nil {
		return nil, err
	}
	var bad []Problem
	src := &versionSource{r: r, w: ws[0], problems: &bad}
	defer src.close()
	in := check.Input{Source: src, Single: ws[0].Form == index.FormFile, Temp: r.checkTemp}
	res, err := initContract(ctx, r.disk, in, filepath.Base(name), r.abs(name+ContractSuffix))
	if res != nil {
		res.File = name + ContractSuffix
	}
	return res, err
}

// InitFileContract guesses a contract from a file or a directory on the disk, and writes it beside it.
func InitFileContract(ctx context.Context, dir, arg string, force bool) (*ContractResult, error) {
	p := absIn(dir, arg)
	src, err := newDiskSource(p)
	if err != nil {
		return nil, err
	}
	file := filepath.Clean(p) + ContractSuffix
	named := filepath.Clean(arg) + ContractSuffix
	if name := filepath.Base(filepath.Clean(arg)); name == "." || name == ".." {
		named = file
	}
	if err := newContract(file, named, arg, force); err != nil {
		return nil, err
	}
	in := check.Input{Source: src, Single: src.single != "", Temp: diskTemp}
	res, err := initContract(ctx, nil, in, filepath.Base(p), file)
	if res != nil {
		res.File = named
	}
	return res, err
}

// newContract refuses to replace a contract, named as the user would, that is there.
func newContract(file, named, arg string, force bool) error {
	if _, err := os.Lstat(file); err == nil && !force {
		return &Hinted{fmt.Errorf("%w: %s is there already", ErrRefused, named), "tarn check --init --force " + arg}
	}
	return nil
}

func initContract(ctx context.Context, disk *durable.Disk, in check.Input, name, file string) (*ContractResult, error) {
	g, err := check.Infer(ctx, in, name)
	if err != nil {
		return nil, fmt.Errorf("guess a contract: %w", err)
	}
	text, _, err := contract.EncodeODCS(g.Contract, name, g.Comments)
	if err != nil {
		return nil, err
	}
	again, err := contract.Load(file, text)
	if err != nil {
		return nil, fmt.Errorf("guess a contract: %w", err)
	}
	res := &ContractResult{Objects: len(again.Objects), Checks: len(again.Checks), Left: g.Left}
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
	c, _, err := r.findContract(ctx, rev, ws[0], "")
	if err != nil {
		return nil, nil, err
	}
	return exportContract(c, form)
}

// ExportFile is ExportContract for a file.
func ExportFile(dir, file, form string) (text []byte, lost []string, err error) {
	c, err := readContract(file, absIn(dir, file))
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
