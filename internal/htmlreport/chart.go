package htmlreport

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"tarn/internal/drift"
	"tarn/internal/profile"
	"tarn/internal/profile/compare"
)

// Charts are drawn into a box of this size, which the page scales.
const (
	chartWidth  = 400
	chartHeight = 100
	chartBins   = 25
	chartTail   = .005 // share of the values on each end that may lie outside
)

// chart are the histograms of both sides over the same bins.
type chart struct {
	Ref, Cur string // paths: an area, and a line
	Lo, Hi   string // ends of the axis
	Caption  string
	Label    string // for who doesn't see it
}

// chartOf draws numbers, times and lengths; nil where there is no range to cut into bins. Either column may be nil.
func chartOf(ref, cur *profile.Column, hide bool) *chart {
	var samples [2]drift.Sample
	kind := profile.Empty
	lo, hi := math.Inf(1), math.Inf(-1)
	for i, c := range []*profile.Column{ref, cur} {
		if c == nil || c.Kind() == profile.Empty {
			continue
		}
		if kind != profile.Empty && kind != c.Kind() {
			return nil
		}
		kind, samples[i] = c.Kind(), c.Dist().Sketch.Sample()
		if samples[i].N() > 0 {
			lo, hi = math.Min(lo, samples[i].Quantile(chartTail)), math.Max(hi, samples[i].Quantile(1-chartTail))
		}
	}
	bins := chartBins
	if width := int(math.Min(hi-lo, chartBins)); kind == profile.Text && width > 0 { // lengths are whole
		bins = max(width, 1)
	}
	var shares [2][]float64
	outside := [2]string{"0 %", "0 %"}
	top := 0.
	for i, s := range samples {
		h := profile.HistogramOf(s, lo, hi, bins)
		if h == nil {
			continue
		}
		inside := int64(0)
		for _, n := range h.Counts {
			shares[i] = append(shares[i], float64(n)/float64(s.N()))
			inside += n
		}
		outside[i] = share(s.N()-inside, s.N())
		top = math.Max(top, slices.Max(shares[i]))
	}
	if top == 0 {
		return nil
	}
	c := &chart{Ref: area(steps(shares[0], top)), Cur: steps(shares[1], top), Lo: figure(kind, lo), Hi: figure(kind, hi)}
	c.Caption = fmt.Sprintf("%d bins of equal width, the highest %.3g %% of a side; outside: %s and %s.", bins, 100*top, outside[0], outside[1])
	c.Label = "Histograms of both versions"
	if hide {
		c.Lo, c.Hi = "", ""
	} else {
		c.Label += " from " + c.Lo + " to " + c.Hi
	}
	return c
}

// steps are the tops of bars as the path of a line.
func steps(shares []float64, top float64) string {
	if shares == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "M0 %d", chartHeight)
	for i, s := range shares {
		fmt.Fprintf(&b, "V%sH%s", tenth(chartHeight*(1-s/top)), tenth(float64(chartWidth*(i+1))/float64(len(shares))))
	}
	return b.String() + fmt.Sprintf("V%d", chartHeight)
}

// tenth is a coordinate; what is finer nobody sees.
func tenth(f float64) string { return strconv.FormatFloat(math.Round(10*f)/10, 'f', -1, 64) }

func area(line string) string {
	if line == "" {
		return ""
	}
	return line + "Z"
}

// Of categories so many are shown.
const shownCategories = 12

// category is a line of bars.
type category struct {
	Name               string
	Other              bool // Name is not of the data
	Ref, Cur           string
	RefWidth, CurWidth string // of the bars, in percent
	New, Gone          bool
}

// categoriesOf are the categories that are largest on either side, in the order of the reference, and all others as one.
func categoriesOf(bins []compare.Bin) (cs []category) {
	var n, m int64
	for _, b := range bins {
		n, m = n+b.Ref, m+b.Cur
	}
	part := func(k, of int64) float64 { return float64(k) / float64(max(of, 1)) }
	bySize := slices.Clone(bins)
	slices.SortStableFunc(bySize, func(a, b compare.Bin) int {
		x, y := math.Max(part(a.Ref, n), part(a.Cur, m)), math.Max(part(b.Ref, n), part(b.Cur, m))
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	most := len(bySize)
	if most > shownCategories {
		most = shownCategories - 1
	}
	top := 0.
	shown := slices.Clone(bySize[:most])
	var rest compare.Bin
	for _, b := range bySize[most:] {
		rest.Ref, rest.Cur = rest.Ref+b.Ref, rest.Cur+b.Cur
	}
	for _, b := range shown {
		top = math.Max(top, math.Max(part(b.Ref, n), part(b.Cur, m)))
	}
	slices.SortStableFunc(shown, func(a, b compare.Bin) int { return int(min(1, max(-1, b.Ref-a.Ref))) })
	line := func(b compare.Bin) category {
		width := func(k, of int64) string { return tenth(100 * math.Min(1, part(k, of)/math.Max(top, 1e-9))) }
		return category{Name: b.Label, Ref: share(b.Ref, n), Cur: share(b.Cur, m), RefWidth: width(b.Ref, n), CurWidth: width(b.Cur, m), New: b.Ref == 0, Gone: b.Cur == 0}
	}
	for _, b := range shown {
		cs = append(cs, line(b))
	}
	if left := len(bySize) - most; left > 0 {
		c := line(rest)
		c.Name, c.Other, c.New, c.Gone = many(int64(left), "other"), true, false, false
		cs = append(cs, c)
	}
	return cs
}
