package compare

import "fmt"

// Hide takes values of the data out of the verdicts and bins: names of categories, edges of bins, and where a difference is largest. The profiles keep theirs.
func (r *Result) Hide() {
	r.Hidden = true
	for i := range r.Bins {
		if r.Form == Categories {
			r.Bins[i].Label = fmt.Sprintf("category %d", i+1)
		} else {
			r.Bins[i].Label = fmt.Sprintf("bin %d", i+1)
		}
	}
	for i := range r.Measures {
		switch m := &r.Measures[i]; m.Metric {
		case KS:
			m.Note = ""
		case New, Vanished:
			if n := len(m.NoteList); n > 0 {
				m.Note = fmt.Sprintf("%d of them", n)
			}
			for k := range m.NoteList {
				m.NoteList[k] = "hidden"
			}
		}
	}
}
