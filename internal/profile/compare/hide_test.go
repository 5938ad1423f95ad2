package compare

import (
	"strings"
	"testing"

	"tarn/internal/drift"
)

func TestHide(t *testing.T) {
	categories := Columns("x", side(t, repeat("secret", 500, "gone", 300), true), side(t, repeat("secret", 100, "new", 700), true), Defaults(""))
	numbers := Columns("x", side(t, normal(3000, 1, 0), true), side(t, normal(3000, 2, 1), true), Defaults(""))
	for _, r := range []*Result{categories, numbers} {
		before := r.Checks("t", 0)
		r.Hide()
		text := r.Binning
		for _, b := range r.Bins {
			text += b.Label + "\n"
		}
		for _, c := range r.Checks("t", 0) {
			text += c.Text + c.Note + "\n"
		}
		if strings.Contains(text, "secret") || strings.Contains(text, "gone") || strings.Contains(text, "new,") || strings.Contains(text, "largest at") || strings.Contains(text, "≤") {
			t.Errorf("there are values in %s", text)
		}
		for i, c := range r.Checks("t", 0) {
			if c.Status != before[i].Status || c.Key != before[i].Key {
				t.Errorf("%s was %s, now %s is %s", before[i].Key, before[i].Status, c.Key, c.Status)
			}
		}
		if !r.Hidden || r.Status != drift.Drifted || len(r.Bins) == 0 || !strings.HasSuffix(r.Bins[0].Label, " 1") {
			t.Errorf("%+v", r)
		}
	}
}
