// Package report has what a run of checks found, and writes it in the forms that CI systems read. It never looks at data.
package report

import "cmp"

// Status is how a check ended.
type Status string

// The statuses, worst last.
const (
	Passed  Status = "passed"
	Skipped Status = "skipped" // it had nothing to look at; Note says why
	Failed  Status = "failed"
	Errored Status = "error" // it could not be run to the end; Note says why
)

// Result is one run of a contract.
type Result struct {
	Subject  string // what was checked: a dataset, REV:dataset, a file
	Contract string // its file, with the revision that it was read from
	Path     string // that file from the root of the repository, with "/", for systems that show it; as it was named where it is in none
	Checks   []Check
	NotRun   []NotRun
	Files    int64 // that were looked at
	Rows     int64
	Bytes    int64 // of the files that were read, as they are stored
	Spilled  int64 // bytes of keys that went to temporary files
}

// NotRun is what a contract asks of somebody else.
type NotRun struct {
	What string
	Line int
}

// Check is how a check ended.
type Check struct {
	Key        string
	Kind       string
	Code       string
	Object     string
	Columns    []string
	Severity   string // error, warning, info
	Text       string // what must hold
	Line, Col  int    // in the contract
	Status     Status
	Incomplete bool // it failed, and could not be run to the end either
	Note       string
	Count      int64 // of violations, or what a count check counted
	Total      int64 // of rows or files that were looked at
	Violations []Violation
}

// Violation is one place where a check does not hold.
type Violation struct {
	Code   string
	File   string
	Row    int64 // 0: the file
	Column string
	Value  string
	Note   string
}

// Counts are the numbers of checks by how they ended; failures by severity. Incomplete ones are counted as failures, too.
type Counts struct {
	Passed, Errors, Warnings, Infos, Skipped, Broken, Incomplete int
}

// Ran is how many checks were not skipped.
func (c Counts) Ran() int { return c.Passed + c.Errors + c.Warnings + c.Infos + c.Broken }

// Count counts the checks.
func (r *Result) Count() (c Counts) {
	for i := range r.Checks {
		k := &r.Checks[i]
		if k.Incomplete {
			c.Incomplete++
		}
		switch {
		case k.Status == Passed:
			c.Passed++
		case k.Status == Skipped:
			c.Skipped++
		case k.Status == Errored:
			c.Broken++
		case k.Severity == "error":
			c.Errors++
		case k.Severity == "warning":
			c.Warnings++
		default:
			c.Infos++
		}
	}
	return c
}

// Total counts the checks of all results.
func Total(rs []*Result) (all Counts) {
	for _, r := range rs {
		c := r.Count()
		all.Passed, all.Errors, all.Warnings = all.Passed+c.Passed, all.Errors+c.Errors, all.Warnings+c.Warnings
		all.Infos, all.Skipped = all.Infos+c.Infos, all.Skipped+c.Skipped
		all.Broken, all.Incomplete = all.Broken+c.Broken, all.Incomplete+c.Incomplete
	}
	return all
}

// rank orders by how bad it is.
func (c *Check) rank() int {
	switch c.Status {
	case Errored:
		return 5
	case Failed:
		return map[string]int{"error": 4, "warning": 3, "info": 2}[c.Severity]
	case Skipped:
		return 1
	}
	return 0
}

// Worst compares checks so that the worst come first.
func Worst(a, b Check) int { return cmp.Or(b.rank()-a.rank(), cmp.Compare(a.Key, b.Key)) }
