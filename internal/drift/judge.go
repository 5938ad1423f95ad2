package drift

import "math"

// Status is what becomes of a value that is held against a threshold.
type Status string

// The statuses, worst last.
const (
	OK           Status = "ok"
	Insufficient Status = "insufficient" // chance alone reaches the threshold: there are too few values
	Warning      Status = "warning"
	Undecided    Status = "undecided" // the threshold lies within what the sketches leave open
	Drifted      Status = "drift"
)

// Worse says that a is worse than b.
func Worse(a, b Status) bool { return rank(a) > rank(b) }

func rank(s Status) int {
	for i, x := range []Status{OK, Insufficient, Warning, Undecided, Drifted} {
		if s == x {
			return i
		}
	}
	return 0
}

// Limits are where a metric warns and where it fails; NaN: nowhere.
type Limits struct{ Warn, Fail float64 }

// None are no limits.
var None = Limits{math.NaN(), math.NaN()}

// Judge holds a value, which lies somewhere from lo to hi, against limits; critical is what chance alone can reach.
func (l Limits) Judge(lo, hi, critical float64) Status {
	if math.IsNaN(lo) || math.IsNaN(hi) {
		return OK
	}
	s := OK
	for _, x := range []struct {
		limit float64
		says  Status
	}{{l.Fail, Drifted}, {l.Warn, Warning}} {
		switch {
		case math.IsNaN(x.limit):
		case critical >= x.limit && x.says == Drifted:
			return Insufficient
		case critical >= x.limit:
			return OK // too near to chance for a warning
		case lo >= x.limit:
			return x.says
		case hi >= x.limit:
			s = Undecided
			return s
		}
	}
	return s
}
