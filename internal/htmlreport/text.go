package htmlreport

import (
	"fmt"
	"math"
	"strings"

	"tarn/internal/check/report"
	"tarn/internal/drift"
	"tarn/internal/human"
	"tarn/internal/profile"
)

// textMax is how many characters are shown of a name or a value.
const textMax = 80

// text makes a text of unknown origin one that fits and has nothing that is not seen, such as marks that turn the direction of writing.
func text(s string) string { return cut(s, textMax) }

func cut(s string, most int) string {
	if len(s) > 16*most { // escapes take time, and nobody sees them
		s = s[:16*most]
	}
	s = report.Clean(strings.ToValidUTF8(s, "\uFFFD"))
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

var count, many = human.Count, human.Many

// counted is count for templates.
func counted(n any) string {
	if i, ok := n.(int); ok {
		return count(int64(i))
	}
	return count(n.(int64))
}

// size writes bytes; nothing where there is no file.
func size(n int64) string {
	if n < 0 {
		return ""
	}
	return human.Size(n)
}

// share is a part of all in percent.
func share(n, of int64) string {
	switch {
	case n == 0:
		return "0 %"
	case of == 0:
		return ""
	}
	return human.Percent(n, of)
}

// figure is a number of 6 digits, or a time.
func figure(k profile.Kind, f float64) string {
	switch {
	case math.IsNaN(f):
		return ""
	case math.IsInf(f, 1):
		return "∞"
	case math.IsInf(f, -1):
		return "−∞"
	case k == profile.Time:
		return profile.Instant(f)
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return count(int64(f))
	}
	return fmt.Sprintf("%.6g", f)
}

// effect is the value of a metric.
func effect(f float64) string {
	switch {
	case math.IsNaN(f):
		return ""
	case math.IsInf(f, 0):
		return "∞"
	case f != 0 && math.Abs(f) < .00005:
		return fmt.Sprintf("%.1e", f)
	}
	return fmt.Sprintf("%.4f", f)
}

// chance is a p-value.
func chance(f float64) string {
	if math.IsNaN(f) {
		return ""
	}
	return fmt.Sprintf("%.2g", f)
}

// mark is a sign beside the word for a status, so that color is not all there is.
func mark(status string) string {
	switch status {
	case string(drift.Drifted), "failed", "error":
		return "✖"
	case string(drift.Undecided):
		return "?"
	case string(drift.Warning):
		return "▲"
	case string(drift.Insufficient), "info", "skipped", "measured":
		return "·"
	}
	return "✓"
}
