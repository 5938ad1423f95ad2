package contract

import (
	"math"
	"slices"
	"strings"
)

// Drift is what the property tarn.drift of an object or a column says about differences between versions.
type Drift struct {
	Exclude bool // the column is not compared
	Limits  map[string]DriftLimits
	Line    int
}

// DriftLimits are from where on a value warns and fails; NaN: nowhere.
type DriftLimits struct{ Warn, Fail float64 }

// DriftMetrics are the names that have limits.
var DriftMetrics = []string{"psi", "ks", "wasserstein", "js", "nulls", "new", "vanished"}

// drift reads {psi: {warn: 0.1, fail: 0.25}, ks: 0.2, nulls: false}: a number alone fails, false is no limit.
func (l *loader) drift(n *node, column bool) *Drift {
	if n == nil || n.kind != 'm' {
		if n != nil {
			l.fail(n, "tarn.drift is a mapping")
		}
		return nil
	}
	d := &Drift{Limits: map[string]DriftLimits{}, Line: n.line}
	for _, k := range n.keys {
		switch {
		case k.name == "exclude" && column:
			b, ok := k.value.(bool)
			if !ok {
				l.fail(k.node, "exclude is true or false")
			}
			d.Exclude = b
		case slices.Contains(DriftMetrics, k.name):
			d.Limits[k.name] = l.driftLimits(k)
		default:
			l.fail(k.node, "unknown key %q of tarn.drift; there are %s", k.name, strings.Join(DriftMetrics, ", "))
		}
	}
	return d
}

func (l *loader) driftLimits(k key) DriftLimits {
	x := DriftLimits{math.NaN(), math.NaN()}
	limit := func(n *node, to *float64) {
		f, ok := n.number()
		if !ok || f < 0 || math.IsInf(f, 0) || math.IsNaN(f) {
			l.fail(n, "a limit is a number from 0 on")
			return
		}
		*to = f
	}
	if b, ok := k.value.(bool); ok && !b && k.kind == 's' {
		return x
	}
	if k.kind != 'm' {
		limit(k.node, &x.Fail)
		return x
	}
	for _, m := range k.keys {
		switch m.name {
		case "warn":
			limit(m.node, &x.Warn)
		case "fail":
			limit(m.node, &x.Fail)
		default:
			l.fail(m.node, "unknown key %q of a limit; there are warn, fail", m.name)
		}
	}
	if x.Warn > x.Fail {
		l.fail(k.node, "%s warns above %v and fails above %v", k.name, x.Warn, x.Fail)
	}
	return x
}

// fields are the values as drift reads them.
func (d *Drift) fields() map[string]any {
	m := map[string]any{}
	if d.Exclude {
		m["exclude"] = true
	}
	for name, x := range d.Limits {
		switch {
		case math.IsNaN(x.Warn) && math.IsNaN(x.Fail):
			m[name] = false
		case math.IsNaN(x.Warn):
			m[name] = x.Fail
		case math.IsNaN(x.Fail):
			m[name] = map[string]any{"warn": x.Warn}
		default:
			m[name] = map[string]any{"warn": x.Warn, "fail": x.Fail}
		}
	}
	return m
}
