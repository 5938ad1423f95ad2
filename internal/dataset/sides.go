package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"

	"tarn/index"
	"tarn/index/vcs"
)

// sides are the versions of a dataset that a merge is of.
type sides struct {
	verb         string     // how Git came to it: merge, rebase, cherry-pick, revert; "" where that is not known
	head         string     // the commit that HEAD names
	began        int64      // when it stopped, as in vcs.Merging
	bases        []*version // as in index.Merge; nil in it: that base has no such dataset
	ours, theirs mergeSide
}

// mergeSide is what one branch has: a version, nothing, or a manifest that can't be read.
type mergeSide struct {
	v   *version
	err error
}

func sideOf(raw []byte) mergeSide {
	v, err := parseVersion(raw)
	return mergeSide{v, err}
}

// whole says why the sides can't be merged path by path; "" if they can.
func (s *sides) whole() string {
	for _, x := range []struct {
		side mergeSide
		name string
	}{{s.ours, "ours"}, {s.theirs, "theirs"}} {
		switch {
		case x.side.err != nil:
			return fmt.Sprintf("broken in %s: %v", x.name, x.side.err)
		case x.side.v == nil:
			return "deleted in " + x.name
		}
	}
	switch o, t := s.ours.v.Form, s.theirs.v.Form; {
	case o == t:
		return ""
	case o == index.FormDir:
		return "directory in ours, file in theirs"
	}
	return "file in ours, directory in theirs"
}

// merge is the sides for index; whole is "".
func (s *sides) merge(src index.Source) *index.Merge {
	m := &index.Merge{Ours: s.ours.v.Manifest, Theirs: s.theirs.v.Manifest, Source: src}
	for _, b := range s.bases {
		if b != nil && b.Form != s.ours.v.Form {
			b = nil // nothing of it remains on either side
		}
		m.Bases = append(m.Bases, b.manifest())
	}
	return m
}

// basesOf are the versions that the text of an ancestor stands for. In a recursive merge it may itself hold a conflict: then its sides differ in what is
// not known. Where it can't be read at all, nothing is known, as if the two sides were the bases.
func basesOf(raw []byte, ours, theirs mergeSide) []*version {
	if v, err := parseVersion(raw); err == nil {
		return []*version{v}
	}
	if a, b, ok := index.Unmarked(raw); ok {
		a, b := sideOf(a), sideOf(b)
		if a.err == nil && b.err == nil {
			return []*version{a.v, b.v}
		}
	}
	return []*version{ours.v, theirs.v}
}

// stagedSides are what Git's index has of a manifest that it could not merge.
func (r *Repo) stagedSides(ctx context.Context, dataset string, st vcs.Stages) (*sides, error) {
	s := &sides{}
	for _, x := range []struct {
		object string
		to     *mergeSide
	}{{st.Ours, &s.ours}, {st.Theirs, &s.theirs}} {
		if x.object == "" {
			continue
		}
		raw, err := r.git.Contents(ctx, x.object, index.MaxRoot)
		if err != nil {
			return nil, err
		}
		*x.to = sideOf(raw)
	}
	if st.Base != "" && s.whole() == "" {
		raw, err := r.git.Contents(ctx, st.Base, index.MaxRoot)
		if err != nil {
			return nil, err
		}
		s.bases = basesOf(raw, s.ours, s.theirs)
	}
	m, ok, err := r.git.Merging(ctx, dataset+ManifestSuffix)
	if ok {
		s.verb, s.began = m.Verb, m.Began
	}
	return s, err
}

// errNotMerging says that there is nothing to make the sides of a broken manifest from.
var errNotMerging = errors.New("it is not known what was merged")

// committedSides are the manifests of the commits that are being merged, or that were when the manifest broke.
func (r *Repo) committedSides(ctx context.Context, dataset string) (*sides, error) {
	m, ok, err := r.git.Merging(ctx, dataset+ManifestSuffix)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNotMerging
	}
	s := &sides{verb: m.Verb, began: m.Began}
	for _, x := range []struct {
		commit string
		to     *mergeSide
	}{{m.Ours, &s.ours}, {m.Theirs, &s.theirs}} {
		if x.to.v, x.to.err = r.headManifest(ctx, x.commit, dataset); x.to.err != nil && !isSyntax(x.to.err) {
			return nil, x.to.err
		}
	}
	for _, commit := range m.Bases {
		v, err := r.headManifest(ctx, commit, dataset)
		if err != nil && !isSyntax(err) {
			return nil, err
		}
		if err != nil && s.whole() == "" { // as in basesOf
			s.bases = []*version{s.ours.v, s.theirs.v}
			break
		}
		s.bases = append(s.bases, v)
	}
	return s, nil
}

// markedSides are what stands between the markers in the work tree, where Git no longer knows what was merged: all that differs is a conflict.
func (r *Repo) markedSides(dataset string) (*sides, error) {
	raw, err := os.ReadFile(r.abs(dataset + ManifestSuffix))
	if err != nil {
		return nil, err
	}
	a, b, ok := index.Unmarked(raw)
	if !ok {
		return nil, errNotMerging
	}
	s := &sides{ours: sideOf(a), theirs: sideOf(b)}
	if s.ours.err != nil || s.theirs.err != nil {
		return nil, errNotMerging
	}
	s.bases = []*version{s.ours.v, s.theirs.v}
	return s, nil
}

func isSyntax(err error) bool {
	var s *index.SyntaxError
	return errors.As(err, &s)
}

// isMergeError says that a manifest is as a merge leaves it that went wrong.
func isMergeError(err error) bool {
	var s *index.SyntaxError
	return errors.As(err, &s) && (s.Conflict || s.Merged)
}
