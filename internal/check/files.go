package check

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"tarn/internal/check/contract"
	"tarn/internal/check/decode"
	"tarn/internal/check/spill"
	"tarn/internal/check/table"
)

// filePass goes through the entries once, for all checks of files, and finds the files of tables on the way.
type filePass struct {
	r      *run
	checks []*state
	met    map[*state][]bool // patterns of fileNames that must match something
	digs   map[*state]map[string]bool
	one    *object // the table that the only file is of
	seen   int64
}

func (r *run) files(ctx context.Context) error {
	p := &filePass{r: r, met: map[*state][]bool{}, digs: map[*state]map[string]bool{}}
	for _, s := range r.states {
		if !s.NeedsRows() {
			p.checks = append(p.checks, s)
		}
	}
	p.single()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.in.Workers + 1)
	var failed error
	for e, err := range r.in.Source.Entries(ctx) {
		if err == nil {
			err = p.entry(gctx, g, e)
		}
		if err != nil {
			failed = err
			break
		}
		p.seen++
	}
	if err := g.Wait(); failed == nil {
		failed = err
	}
	if failed != nil {
		return failed
	}
	for _, s := range p.checks {
		p.finish(s)
	}
	r.seen = p.seen
	return nil
}

// single finds the table that a file which the user named is of: the only one.
func (p *filePass) single() {
	if !p.r.in.Single {
		return
	}
	for _, o := range p.r.objects {
		if len(o.checks) > 0 {
			if p.one != nil {
				p.one = nil
				return
			}
			p.one = o
		}
	}
}

// entry looks at one file.
func (p *filePass) entry(ctx context.Context, g *errgroup.Group, e Entry) error {
	for _, o := range p.r.objects {
		if len(o.checks) > 0 && p.belongs(o, e) {
			if o.files = append(o.files, e); len(o.files) > maxTableFiles {
				return fmt.Errorf("the table %s has more than %d files", o.Name, maxTableFiles)
			}
		}
	}
	for _, s := range p.checks {
		if !p.about(s, e) {
			continue
		}
		s.lock.Lock()
		s.total++
		s.lock.Unlock()
		if err := p.file(ctx, g, s, e); err != nil {
			return err
		}
	}
	return nil
}

// belongs says that a file is a part of a table: as the glob says, or where there is none, if its name says that it is a table.
func (p *filePass) belongs(o *object, e Entry) bool {
	if p.one == o {
		return true
	}
	if o.Files.Everything() && p.r.in.Single {
		return strings.TrimSuffix(path.Base(e.Path), path.Ext(e.Path)) == o.Name
	}
	return isPart(o.Object, e.Path)
}

// isPart says that a file of a dataset is a part of a table.
func isPart(o *contract.Object, name string) bool {
	if !o.Files.Everything() {
		return o.Files.Match(name)
	}
	format, _ := table.FormatOf(name)
	return format != "" || !strings.Contains(name, "/") && o.Format != ""
}

// about says that a check of files looks at this one.
func (p *filePass) about(s *state, e Entry) bool {
	if !s.Files.Everything() {
		return s.Files.Match(e.Path)
	}
	return p.r.in.Single || s.Object.Files.Match(e.Path)
}

func (p *filePass) file(ctx context.Context, g *errgroup.Group, s *state, e Entry) error {
	b := &s.Custom
	switch s.Kind {
	case contract.FileNames:
		p.name(s, e)
	case contract.FileSize:
		if b.Min != nil && float64(e.Size) < *b.Min || b.Max != nil && float64(e.Size) > *b.Max {
			p.violation(s, e, fmt.Sprintf("it has %d bytes", e.Size))
		}
	case contract.FileDigests:
		want, ok := b.Digests[e.Path]
		if !ok {
			s.total--
			return nil
		}
		if p.digs[s] == nil {
			p.digs[s] = map[string]bool{}
		}
		p.digs[s][e.Path] = true
		d, err := p.digest(ctx, e)
		if err != nil {
			return p.broke(ctx, s, e, err)
		}
		if got := hex.EncodeToString(d[:]); got != want {
			p.violation(s, e, "its digest is "+got)
		}
	case contract.DupFiles, contract.Leakage:
		return p.key(ctx, s, e)
	case contract.Decode, contract.Encoding:
		g.Go(func() error { return p.open(ctx, s, e) })
	}
	return nil
}

func (p *filePass) violation(s *state, e Entry, note string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.count++
	s.keep(example{file: -1, path: e.Path, note: note})
}

func (p *filePass) broke(ctx context.Context, s *state, e Entry, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.broke("read %s: %v", e.Path, err)
	return nil
}

func (p *filePass) name(s *state, e Entry) {
	b := &s.Custom
	match := func(g contract.Glob) bool { return g.Match(e.Path) }
	if b.AllowGlobs != nil && !slices.ContainsFunc(b.AllowGlobs, match) {
		p.violation(s, e, "no pattern allows its name")
	}
	for _, g := range b.ForbidGlobs {
		if g.Match(e.Path) {
			p.violation(s, e, "its name is forbidden by "+g.String())
		}
	}
	if p.met[s] == nil {
		p.met[s] = make([]bool, len(b.Require))
	}
	for i, g := range b.RequireGlobs {
		p.met[s][i] = p.met[s][i] || g.Match(e.Path)
	}
}

func (p *filePass) digest(ctx context.Context, e Entry) ([32]byte, error) {
	if e.Digest != [32]byte{} {
		return e.Digest, nil
	}
	p.r.bytes.Add(e.Size)
	return p.r.in.Source.Digest(ctx, e)
}

// key notes the content of a file for comparison. Empty files are all the same, and mean nothing.
func (p *filePass) key(ctx context.Context, s *state, e Entry) error {
	rec := spill.Record{Row: p.seen}
	if s.Kind == contract.Leakage {
		s.member(e.Path)
		tag := splitOf(s.splits, e.Path)
		if tag < 0 {
			s.total--
			return nil
		}
		rec.Tag = uint32(tag)
	}
	if e.Size == 0 {
		return nil
	}
	d, err := p.digest(ctx, e)
	if err != nil {
		return p.broke(ctx, s, e, err)
	}
	for i := range 8 {
		rec.Hash[0] = rec.Hash[0]<<8 | uint64(d[i])
		rec.Hash[1] = rec.Hash[1]<<8 | uint64(d[8+i])
	}
	return s.sorter.Add([]spill.Record{rec})
}

// open decodes a file.
func (p *filePass) open(ctx context.Context, s *state, e Entry) error {
	f, err := p.r.in.Source.Open(ctx, e)
	if err != nil {
		return p.broke(ctx, s, e, err)
	}
	defer f.Close()
	if s.Kind == contract.Encoding {
		err = decode.Text(ctx, f, s.Custom.Encoding)
	} else {
		err = decode.File(ctx, e.Path, f, s.Custom.As)
	}
	p.r.in.Progress(1, e.Size)
	p.r.bytes.Add(e.Size)
	var bad *decode.Error
	switch {
	case err == nil:
	case errors.Is(err, decode.ErrUnknown):
		s.lock.Lock()
		defer s.lock.Unlock()
		s.total--
		s.unknown++
	case errors.As(err, &bad):
		p.violation(s, e, bad.Error())
	default:
		return p.broke(ctx, s, e, err)
	}
	return nil
}

// finish decides what needs all entries.
func (p *filePass) finish(s *state) {
	b := &s.Custom
	part := p.r.in.Part
	switch s.Kind {
	case contract.FileCount:
		if part {
			s.skipped = "it is about all files, and a part is checked"
			return
		}
		s.count, s.judged = s.total, true
		s.passed = (b.Min == nil || float64(s.total) >= *b.Min) && (b.Max == nil || float64(s.total) <= *b.Max)
		s.note = fmt.Sprintf("there are %d", s.total)
		return
	case contract.FileNames:
		for i, name := range b.Require {
			if met := p.met[s]; !part && (met == nil || !met[i]) {
				s.count++
				s.keep(example{file: -1, path: name, note: "it is required, and not there"})
			}
		}
		return
	case contract.Leakage:
		if !part {
			s.empty()
		}
	case contract.FileDigests:
		for name := range b.Digests {
			if !part && !p.digs[s][name] {
				s.count++
				s.keep(example{file: -1, path: name, note: "it is not there"})
			}
		}
		return
	}
	if s.unknown > 0 {
		s.note = fmt.Sprintf("%d more files are of no format that can be decoded", s.unknown)
	}
	if s.total == 0 && s.errored == "" {
		s.skipped = "there is no file to look at"
		if s.unknown > 0 {
			s.skipped = s.note
		}
	}
}

// sameFile is a file whose bytes another one has.
type sameFile struct {
	n, first int64 // numbers of entries
	from, to uint32
}

// sameFiles counts files whose bytes an earlier file has, or for leakage one of another split.
func (r *run) sameFiles(ctx context.Context, s *state) error {
	var first spill.Record
	var shown []sameFile
	err := s.sorter.Each(func(rec *spill.Record, same bool) error {
		if !same {
			first = *rec
			return nil
		}
		if s.Kind == contract.Leakage && rec.Tag == first.Tag {
			return nil
		}
		s.count++
		i, _ := slices.BinarySearchFunc(shown, rec.Row, func(f sameFile, n int64) int { return int(f.n - n) })
		if i < s.most {
			shown = slices.Insert(shown, i, sameFile{rec.Row, first.Row, rec.Tag, first.Tag})
			shown = shown[:min(len(shown), s.most)]
		}
		return nil
	})
	if err != nil || len(shown) == 0 {
		return err
	}
	names, err := r.names(ctx, shown)
	if err != nil {
		return err
	}
	for _, f := range shown {
		note := "it has the bytes of " + names[f.first]
		if s.Kind == contract.Leakage {
			splits := s.Custom.SplitNames()
			note = fmt.Sprintf("it is in %s, and in %s as %s", splits[f.from], splits[f.to], names[f.first])
		}
		s.keep(example{file: -1, path: names[f.n], note: note})
	}
	return nil
}

// names are the paths of a few entries, by number. They are not kept for all, as there may be very many.
func (r *run) names(ctx context.Context, of []sameFile) (map[int64]string, error) {
	names := map[int64]string{}
	for _, f := range of {
		names[f.n], names[f.first] = "", ""
	}
	n := int64(0)
	for e, err := range r.in.Source.Entries(ctx) {
		if err != nil {
			return nil, err
		}
		if _, ok := names[n]; ok {
			names[n] = e.Path
		}
		n++
	}
	return names, nil
}
