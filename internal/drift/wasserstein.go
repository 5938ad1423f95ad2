package drift

import "math"

// Wasserstein is the first Wasserstein distance, ∫ |F₁ − F₂|: how far values have to be moved on average, in the unit of the column. Infinite values are left out.
type Wasserstein struct {
	Value  float64
	Scale  float64 // the reference's standard deviation
	Normed float64 // Value/Scale; NaN where the reference is constant and something moved
	Band   float64 // Normed is wrong by at most this, where a side is a sketch
	Noise  float64 // about the Normed of two samples of this size from one distribution, ×2
}

// WassersteinDistance compares two samples.
func WassersteinDistance(ref, cur Sample) Wasserstein {
	ref, cur = ref.finite(), cur.finite()
	n, m := float64(ref.N()), float64(cur.N())
	nan := math.NaN()
	if n == 0 || m == 0 {
		return Wasserstein{nan, nan, nan, nan, nan}
	}
	w := Wasserstein{Scale: ref.Deviation()}
	var before, diff, spread, spreadSum float64
	first := true
	var lo, hi float64
	walk(ref, cur, func(x float64, a, b int64) {
		if first {
			lo, first = x, false
		} else {
			w.Value += diff * (x - before)
			spreadSum += spread * (x - before)
		}
		f := float64(a+b) / (n + m)
		before, hi, diff, spread = x, x, math.Abs(float64(a)/n-float64(b)/m), math.Sqrt(f*(1-f))
	})
	w.Normed = w.Value / w.Scale
	if w.Scale == 0 {
		w.Normed = nan
		if w.Value == 0 {
			w.Normed = 0
		}
		return w
	}
	w.Band = (ref.Eps + cur.Eps) * (hi - lo) / w.Scale
	// |F₁ − F₂| at x is about √(F(1−F)(1/n+1/m)) times |a normal variable|, whose mean is √(2/π).
	w.Noise = 2 * math.Sqrt(2/math.Pi*(1/n+1/m)) * spreadSum / w.Scale
	return w
}
