// Package human writes numbers for people, on the terminal and in reports alike.
package human

import (
	"fmt"
	"strings"
)

// Count writes a number with separators: 12,345.
func Count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Many writes a number with its noun: "1 file", "2 files".
func Many(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "y") {
		return Count(n) + " " + strings.TrimSuffix(noun, "y") + "ies"
	}
	return Count(n) + " " + noun + "s"
}

// Size writes bytes: 812 B, 1.4 KiB, 23 MiB.
func Size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		if v /= 1024; v < 1000 {
			break
		}
	}
	if v < 9.95 {
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}

// Percent writes n as a part of all; neither is 0.
func Percent(n, all int64) string {
	switch x := 100 * float64(n) / float64(all); {
	case x < .1:
		return "<0.1 %"
	case x < 9.95:
		return fmt.Sprintf("%.1f %%", x)
	default:
		return fmt.Sprintf("%.0f %%", x)
	}
}
