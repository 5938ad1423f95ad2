package compare

import (
	"maps"
	"math"

	"tarn/internal/drift"
)

// Metric is what is measured of a column.
type Metric string

// The metrics.
const (
	PSI         Metric = "psi"
	KS          Metric = "ks"          // D
	Wasserstein Metric = "wasserstein" // in standard deviations of the reference
	JS          Metric = "js"          // distance, base 2
	Nulls       Metric = "nulls"       // difference of the shares of rows
	New         Metric = "new"         // share of the values that are in categories which the reference lacks
	Vanished    Metric = "vanished"    // share of the reference in categories that are no more
	Presence    Metric = "column"      // a column came or went
	KindOf      Metric = "kind"        // numbers became texts
)

// Rules are how columns are judged.
type Rules struct {
	Limits  map[Metric]drift.Limits
	Given   bool // the contract has limits for this very column: it is judged also where it would only be measured
	Exclude bool
	Compat  drift.Compat
}

// anything is the smallest limit: any difference is more.
const anything = math.SmallestNonzeroFloat64

// Defaults are the limits without a contract; those of PSI in another tool's binning are that tool's.
func Defaults(c drift.Compat) Rules {
	nan := math.NaN()
	r := Rules{Compat: c, Limits: map[Metric]drift.Limits{
		PSI: {Warn: .1, Fail: .25}, KS: {Warn: .1, Fail: .2}, Wasserstein: drift.None, JS: drift.None, Nulls: {Warn: .05, Fail: .1},
		New: {Warn: anything, Fail: nan}, Vanished: {Warn: anything, Fail: nan},
	}}
	switch c {
	case drift.Evidently:
		r.Limits[PSI] = drift.Limits{Warn: nan, Fail: .1}
	case drift.Deepchecks:
		r.Limits[PSI] = drift.Limits{Warn: nan, Fail: .2}
	}
	return r
}

// With gives rules that differ in one limit. A limit of 0 is passed by anything above it.
func (r Rules) With(m Metric, l drift.Limits) Rules {
	r.Limits = maps.Clone(r.Limits)
	if l.Warn == 0 {
		l.Warn = anything
	}
	if l.Fail == 0 {
		l.Fail = anything
	}
	r.Limits[m] = l
	return r
}
