package check

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"tarn/internal/check/contract"
	"tarn/internal/check/report"
	"tarn/internal/check/spill"
)

// Entry is a file that can be checked.
type Entry struct {
	Path   string // with "/", relative to what is checked
	Size   int64
	Digest [32]byte // BLAKE3; zero: not known, Source.Digest finds it
}

// File is an open file. ReadAt may be called from many goroutines. Where it has a method Sequential() it is told by it that it will be read from begin to end.
type File interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Source is what is checked.
type Source interface {
	// Entries are the files, by path, each time they are asked for.
	Entries(ctx context.Context) iter.Seq2[Entry, error]
	// Open opens a file; many may be open at once.
	Open(ctx context.Context, e Entry) (File, error)
	// Digest is the digest of an entry that has none.
	Digest(ctx context.Context, e Entry) ([32]byte, error)
}

// Input is what a run needs.
type Input struct {
	Contract  *contract.Contract
	Source    Source
	Subject   string                                                    // how messages call what is checked
	Reference func(ctx context.Context, dataset string) (Source, error) // another dataset, for foreign keys; nil: there is none
	Now       time.Time                                                 // for freshness
	Shown     int                                                       // violations a check that are kept; all are counted; 0: 20, negative: none
	Single    bool                                                      // the source is one file that the user named: globs of the contract don't choose it
	Part      bool                                                      // the source is a part of what the contract is about: what is not there is no fault
	Whole     Source                                                    // what it is a part of, for references; nil: a single file, which Reference finds others beside
	NoValues  bool                                                      // no value of the data in the result
	Workers   int                                                       // 0: one a processor
	Memory    int64                                                     // bytes for keys, all checks together; 0: 128 MiB
	Temp      func() (spill.Temp, error)
	Progress  func(files, bytes int64) // what was done since the last call; may be nil; from many goroutines

	planted contract.Kind // for tests: a kind whose checks see nothing
}

const (
	defaultMemory = 128 << 20
	defaultShown  = 20
)

// Run runs all checks. What is wrong with the data is in the result; the error is for what ends the run: a context, a list of entries that can't be read.
func Run(ctx context.Context, in Input) (*report.Result, error) {
	if in.Workers == 0 {
		in.Workers = runtime.GOMAXPROCS(0)
	}
	if in.Memory == 0 {
		in.Memory = defaultMemory
	}
	switch {
	case in.Shown == 0:
		in.Shown = defaultShown
	case in.Shown < 0:
		in.Shown = 0
	}
	if in.Progress == nil {
		in.Progress = func(int64, int64) {}
	}
	r := newRun(in)
	defer r.close()
	if err := r.files(ctx); err != nil {
		return nil, err
	}
	for _, o := range r.objects {
		if err := r.table(ctx, o); err != nil {
			return nil, err
		}
	}
	if err := r.references(ctx); err != nil {
		return nil, err
	}
	if err := r.keys(ctx); err != nil {
		return nil, err
	}
	return r.result(), nil
}

// run is one run of a contract.
type run struct {
	in      Input
	states  []*state // by check
	objects []*object
	paths   []string // of the table files, by the number that violations have
	sorters int      // checks that need one
	seen    int64    // files
	rows    int64
	bytes   atomic.Int64
	spilled int64
}

// state is how a check stands.
type state struct {
	*contract.Check
	tally
	total    int64
	errored  string // why it can't be run to its end
	skipped  string
	sorter   *spill.Sorter
	lock     sync.Mutex      // of checks that many goroutines run file by file
	splits   []contract.Glob // of leakage, by the names of the splits
	members  []int64         // how many files each of them has
	unknown  int64           // files of a format that nobody knows
	referred bool            // of a foreign key: its keys are those that are referred to
	passed   bool            // for checks that compare by themselves
	judged   bool            // passed holds
	note     string
}

// object is a table with the files that it is made of.
type object struct {
	*contract.Object
	index  int
	checks []*state
	files  []Entry
}

// maxTableFiles is how many files one table may have: they are listed in memory.
const maxTableFiles = 2_000_000

func newRun(in Input) *run {
	r := &run{in: in}
	byObject := map[*contract.Object]*object{}
	for i, o := range in.Contract.Objects {
		obj := &object{Object: o, index: i}
		byObject[o] = obj
		r.objects = append(r.objects, obj)
	}
	for _, c := range in.Contract.Checks {
		s := &state{Check: c}
		s.tally.most = in.Shown
		for _, n := range c.Custom.SplitNames() {
			s.splits = append(s.splits, c.Custom.SplitGlobs[n])
		}
		s.members = make([]int64, len(s.splits))
		r.states = append(r.states, s)
		if o := byObject[c.Object]; o != nil && c.NeedsRows() {
			o.checks = append(o.checks, s)
		}
		if needsSorter(c) {
			r.sorters++
		}
	}
	for _, s := range r.states {
		if needsSorter(s.Check) {
			s.sorter = spill.New(in.Memory/int64(r.sorters), in.Temp)
		}
	}
	return r
}

func needsSorter(c *contract.Check) bool {
	switch c.Kind {
	case contract.Unique, contract.PrimaryKey, contract.Duplicates, contract.DupRows, contract.ForeignKey, contract.Labelled, contract.Leakage, contract.DupFiles:
		return true
	}
	return false
}

func (r *run) close() {
	for _, s := range r.states {
		if s.sorter != nil {
			s.sorter.Close() // what can't be removed is a temporary file
		}
	}
}

// result is what became of the checks.
func (r *run) result() *report.Result {
	res := &report.Result{Subject: r.in.Subject, Contract: r.in.Contract.File, Files: r.seen, Rows: r.rows, Bytes: r.bytes.Load(), Spilled: r.spilled}
	for _, n := range r.in.Contract.NotRun {
		res.NotRun = append(res.NotRun, report.NotRun{What: n.What, Line: n.Line})
	}
	for _, s := range r.states {
		res.Checks = append(res.Checks, s.report(r))
	}
	return res
}

func (s *state) report(r *run) report.Check {
	c := report.Check{Key: s.Key, Kind: string(s.Kind), Code: s.Code, Object: s.Object.Name, Columns: s.Columns, Severity: s.Severity.String(), Text: s.Text, Line: s.Line, Col: s.Col,
		Count: s.count, Total: s.total, Note: s.note, Status: report.Passed}
	if s.Kind == r.in.planted {
		return c
	}
	holds := s.count == 0
	switch {
	case s.judged:
		holds = s.passed
	case s.Want.Set:
		holds = s.Want.Holds(s.count, s.total)
		if c.Note == "" {
			c.Note = found(s.Want, s.count, s.total)
		}
	}
	switch counted := !s.judged && !s.Want.Set; {
	case s.errored != "" && (holds || !counted): // what compares numbers needs all of them
		c.Status, c.Note = report.Errored, s.errored
	case s.skipped != "" && s.count == 0:
		c.Status, c.Note = report.Skipped, s.skipped
	case !holds:
		c.Status, c.Incomplete = report.Failed, s.errored != ""
		if note := cmp.Or(s.errored, c.Note); note != "" && counted {
			c.Note = fmt.Sprintf("%d of %d; %s", s.count, s.total, note)
		}
	}
	if r.in.NoValues && s.Kind == contract.Freshness {
		c.Note = "" // it has the newest value
	}
	for _, e := range s.examples {
		v := report.Violation{Code: e.code, File: e.path, Row: e.row, Column: e.column, Value: e.value, Note: e.note}
		if v.File == "" && e.file >= 0 {
			v.File = r.paths[e.file]
		}
		if v.Code == "" {
			v.Code = s.Code
		}
		if r.in.NoValues {
			v.Value = ""
		}
		c.Violations = append(c.Violations, v)
	}
	return c
}

// broke says that a check can't be run to its end.
func (s *state) broke(format string, args ...any) {
	if s.errored == "" {
		s.errored = fmt.Sprintf(format, args...)
	}
}
