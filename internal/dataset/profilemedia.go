package dataset

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"tarn/internal/check"
	"tarn/internal/profile"
	"tarn/store/digest"
)

// A profile of one picture would be a file for a file. So those of neighbours are kept together: a bundle ends after a file whose digest begins with 6 zero bits, or
// with bundleMost files, so that what comes or goes changes its own bundle only.
const bundleMost = 256

// mediaTable merges the profiles of bundles.
func (s *profileSide) mediaTable(ctx context.Context, t *tableFiles, rep Reporter) (*TableProfile, []Problem, error) {
	all := &TableProfile{Subject: s.subject, Name: t.name, Profile: &profile.Profile{}}
	var problems []Problem
	var bundle []check.Entry
	for i, e := range t.files {
		if digest.Digest(e.Digest).IsZero() {
			d, err := s.src.Digest(ctx, e)
			if err != nil {
				problems = append(problems, Problem{Dataset: s.dataset, Path: e.Path, Err: err})
				continue
			}
			e.Digest = d
		}
		bundle = append(bundle, e)
		if e.Digest[0]>>2 != 0 && len(bundle) < bundleMost && i < len(t.files)-1 {
			continue
		}
		p, known, bad, err := s.bundle(ctx, t.media, bundle, rep)
		if err != nil {
			return nil, nil, err
		}
		problems = append(problems, bad...)
		if known {
			all.Known += int64(len(bundle))
		}
		all.Merge(p)
		bundle = nil
	}
	return all, problems, ctx.Err()
}

// bundle gives the profile of a few files, which is kept if all of them could be had.
func (s *profileSide) bundle(ctx context.Context, m profile.Media, files []check.Entry, rep Reporter) (p *profile.Profile, known bool, problems []Problem, err error) {
	var ds []digest.Digest
	for _, e := range files {
		ds = append(ds, e.Digest)
	}
	id, options := profile.Bundle(ds), m.Options()
	if s.repo != nil {
		if p := s.repo.keptProfile(id, options); p != nil {
			return p, true, nil, nil
		}
	}
	ps := make([]*profile.Profile, len(files))
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, e := range files {
		g.Go(func() error {
			one, err := s.mediaFile(ctx, m, e)
			rep.Add(1, e.Size)
			if err != nil && ctx.Err() == nil {
				mu.Lock()
				problems = append(problems, Problem{Dataset: s.dataset, Path: e.Path, Err: err})
				mu.Unlock()
			}
			ps[i] = one
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, false, nil, err
	}
	var had []*profile.Profile
	for i, p := range ps {
		if p == nil {
			continue
		}
		if p.Problem != "" {
			p.Problem = files[i].Path + ": " + p.Problem
		}
		had = append(had, p)
	}
	p = profile.Join(had)
	if s.repo != nil && len(problems) == 0 {
		err = s.repo.keepProfile(id, options, p)
	}
	return p, false, problems, err
}

func (s *profileSide) mediaFile(ctx context.Context, m profile.Media, e check.Entry) (p *profile.Profile, err error) {
	f, err := s.src.Open(ctx, e)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return profile.BuildMedia(ctx, m, e.Path, f, digest.Digest(e.Digest))
}
