package drift

import (
	"math"
	"slices"
)

// BenjaminiHochberg adjusts p-values of many tests so that a bound on them bounds the share of false alarms among the alarms. NaN stays, and counts for none.
func BenjaminiHochberg(p []float64) []float64 {
	order := make([]int, 0, len(p))
	q := slices.Clone(p)
	for i, x := range p {
		if !math.IsNaN(x) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return a - b
	})
	least := 1.0
	for k := len(order) - 1; k >= 0; k-- {
		least = math.Min(least, p[order[k]]*float64(len(order))/float64(k+1))
		q[order[k]] = least
	}
	return q
}
