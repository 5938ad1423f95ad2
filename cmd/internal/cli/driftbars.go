package cli

import (
	"math"
	"strings"
	"unicode/utf8"

	"tarn/internal/drift"
	"tarn/internal/profile"
	"tarn/internal/profile/compare"
)

// driftBars is how many bins the histograms of both versions have, and barWidth how long the bar of a bin may be.
const (
	driftBars = 22
	barWidth  = 12
)

// histograms draws both versions over the same bins and to the same scale; nothing where values are categories, or have no range.
func (v *driftedColumn) histograms(p *printer) {
	if v.r.Form == compare.Categories || v.r.Form == compare.Nothing {
		return
	}
	ref, cur := v.r.Ref, v.r.Cur
	a, b := ref.Dist().Sketch.Sample(), cur.Dist().Sketch.Sample()
	lo, hi := math.Min(a.Quantile(.01), b.Quantile(.01)), math.Max(a.Quantile(.99), b.Quantile(.99))
	sa, sb := sharesOf(a, lo, hi), sharesOf(b, lo, hi)
	if sa == nil || sb == nil {
		return
	}
	top := 0.
	for i := range sa {
		top = math.Max(top, math.Max(sa[i], sb[i]))
	}
	ends := ""
	if !v.r.Hidden {
		ends = figure(ref.Kind(), lo) + " … " + figure(ref.Kind(), hi)
	}
	p.f("    %s\n", strings.TrimRight("reference "+spark(sa, top)+" "+ends, " "))
	p.f("    current   %s\n", p.paint(cyan, strings.TrimRight(spark(sb, top), " ")))
}

// sharesOf are the shares of a sample in bins from lo to hi; nil where there are none.
func sharesOf(s drift.Sample, lo, hi float64) (shares []float64) {
	h := profile.HistogramOf(s, lo, hi, driftBars)
	if h == nil {
		return nil
	}
	for _, n := range h.Counts {
		shares = append(shares, float64(n)/float64(s.N()))
	}
	return shares
}

// spark draws bars, of which the highest may be top.
func spark(shares []float64, top float64) string {
	levels := []rune(" ▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, s := range shares {
		b.WriteRune(levels[min(8, int(math.Ceil(8*s/math.Max(top, 1e-12))))])
	}
	return b.String()
}

// bars is the share of a bin in the new version, with bars for both.
func (v *driftedColumn) bars(p *printer, b compare.Bin) string {
	text := portion(b.Cur, v.Cur)
	top := 0.
	for _, x := range v.r.Bins {
		top = math.Max(top, math.Max(part(x.Ref, v.Ref), part(x.Cur, v.Cur)))
	}
	if top == 0 {
		return text
	}
	ref, cur := bar(part(b.Ref, v.Ref)/top), bar(part(b.Cur, v.Cur)/top)
	if cur != "" {
		cur = p.paint(cyan, cur)
	}
	return strings.TrimRight(padTo(text, 7)+" "+padTo(ref, barWidth)+" "+cur, " ")
}

// padTo fills up to n letters, which pad does only where each is a byte.
func padTo(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(s)))
}

func part(n, of int64) float64 { return float64(n) / float64(max(of, 1)) }

// bar is a bar of a length from 0 to 1, to an eighth of a letter.
func bar(length float64) string {
	eighths := int(math.Round(length * barWidth * 8))
	if length > 0 {
		eighths = max(1, eighths)
	}
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return s
}
