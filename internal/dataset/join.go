package dataset

import (
	"iter"

	"tarn/index"
	"tarn/index/scan"
)

// row is one path of a dataset, with what each of the three sides has there; nil where a side has nothing.
type row struct {
	path string
	w    *scan.File   // workspace
	r    *scan.Record // index: what was last seen, checked out or added here
	m    *index.Entry // manifest
	err  error        // of the workspace: what is there can't be known; with a path that ends in "/" nor what is below
}

// side is one sorted sequence, one step ahead.
type side[T any] struct {
	next func() (T, error, bool)
	path func(*T) string
	cur  T
	err  error
	ok   bool
}

func (s *side[T]) step() { s.cur, s.err, s.ok = s.next() }

// take returns what the side has at path, and steps past it.
func (s *side[T]) take(path string) (*T, error) {
	if !s.ok || s.path(&s.cur) != path {
		return nil, nil
	}
	v, err := s.cur, s.err
	s.step()
	return &v, err
}

func (s *side[T]) least(path string, ok bool) (string, bool) {
	if p := s.path(&s.cur); s.ok && (!ok || p < path) {
		return p, true
	}
	return path, ok
}

// join merges three ascending sequences by path. An error of the workspace that has a path of its own is that row's; every other error ends it.
func join(ws iter.Seq2[scan.File, error], rs iter.Seq[scan.Record], ms iter.Seq2[index.Entry, error]) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		nextW, stopW := iter.Pull2(ws)
		defer stopW()
		nextR, stopR := iter.Pull(rs)
		defer stopR()
		nextM, stopM := iter.Pull2(ms)
		defer stopM()
		w := side[scan.File]{next: nextW, path: func(f *scan.File) string { return f.Path }}
		m := side[index.Entry]{next: nextM, path: func(e *index.Entry) string { return e.Path }}
		r := side[scan.Record]{path: func(r *scan.Record) string { return r.Path }, next: func() (scan.Record, error, bool) {
			rec, ok := nextR()
			return rec, nil, ok
		}}
		w.step()
		r.step()
		m.step()
		for w.ok || r.ok || m.ok {
			if m.ok && m.err != nil {
				yield(row{}, m.err)
				return
			}
			if w.ok && w.err != nil && (w.cur.Path == "" || w.cur.Path == ".") {
				yield(row{}, w.err)
				return
			}
			path, ok := w.least("", false)
			path, ok = r.least(path, ok)
			path, _ = m.least(path, ok)
			out := row{path: path}
			out.w, out.err = w.take(path)
			out.r, _ = r.take(path)
			out.m, _ = m.take(path)
			if !yield(out, nil) {
				return
			}
		}
	}
}
