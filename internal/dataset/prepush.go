package dataset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tarn/index"
	"tarn/index/vcs"
	"tarn/store/digest"
	"tarn/store/remote"
)

// PushedRef is a line that git push gives to its hook: object ids, hexadecimal; all zeros stand for nothing.
type PushedRef struct {
	Local  string // what is pushed
	Remote string // what the other side has at that ref
}

// The values of hooks.prePush.
const (
	PrePushCheck = "check" // the default: the push fails where data is missing
	PrePushPush  = "push"  // what is missing is pushed
	PrePushOff   = "off"
)

// PrePushResult is what the hook found.
type PrePushResult struct {
	Mode     string
	Versions int             // that the pushed commits bring
	Missing  []MissingData   // with PrePushCheck
	Pushed   *TransferResult // with PrePushPush
	Problems []Problem
}

// MissingData is a version that can't be pulled from its remote.
type MissingData struct {
	RemoteStatus
	Commit string // that brings it
}

// PrePush looks whether the data of the commits that git push is about to send is on its remote, or brings it there. gitRemote is Git's name for where they go; what this
// clone has seen of its branches was looked at before. Where data is missing the error wraps ErrIncomplete.
func (r *Repo) PrePush(ctx context.Context, gitRemote string, refs []PushedRef) (*PrePushResult, error) {
	mode, err := r.prePushMode()
	p := &prePush{r: r, objects: map[digest.Digest]string{}, res: &PrePushResult{Mode: mode}}
	if err != nil {
		return p.res, err
	}
	if p.res.Mode == PrePushOff {
		return p.res, nil
	}
	ws, err := p.introduced(ctx, gitRemote, refs)
	if err != nil || len(ws) == 0 {
		return p.res, err
	}
	byRemote, err := r.route(ws, "")
	if err != nil {
		return p.res, err
	}
	for _, name := range sortedKeys(byRemote) {
		if err := p.remote(ctx, name, byRemote[name]); err != nil {
			return p.res, err
		}
	}
	if n := len(p.res.Missing); n > 0 {
		return p.res, &Hinted{fmt.Errorf("%w on the remote: data of %s that git push sends", ErrIncomplete, plural(n, "version")), r.pushHint(p.res.Missing)}
	}
	return p.res, outcome(nil, p.res.Problems)
}

// prePush is one run. Versions are known by their ids until they are needed.
type prePush struct {
	r       *Repo
	res     *PrePushResult
	objects map[digest.Digest]string // where Git has them
}

// introduced are the versions that the pushed commits bring, without their manifests.
func (p *prePush) introduced(ctx context.Context, gitRemote string, refs []PushedRef) ([]wanted, error) {
	var tips, known []string
	for _, ref := range refs {
		if strings.Trim(ref.Local, "0") == "" {
			continue // a branch is deleted
		}
		tips = append(tips, ref.Local)
		if strings.Trim(ref.Remote, "0") != "" {
			known = append(known, ref.Remote)
		}
	}
	var found []vcs.Introduced
	err := p.r.git.Introduced(ctx, tips, known, gitRemote, func(i vcs.Introduced) { found = append(found, i) })
	if err != nil {
		return nil, fmt.Errorf("list what is pushed: %w", err)
	}
	p.r.report.Phase("look at what is pushed", int64(len(found)), -1)
	var ws []wanted
	for _, i := range found {
		raw, err := p.r.git.Contents(ctx, i.Object, index.MaxRoot)
		if err != nil {
			return nil, err
		}
		v := &version{id: digest.Sum(raw)}
		p.objects[v.id] = i.Object
		ws = append(ws, wanted{Target{Dataset: strings.TrimSuffix(i.Path, ManifestSuffix)}, v, i.Commit})
		p.r.report.Add(1, 0)
	}
	ws = unique(ws)
	p.res.Versions = len(ws)
	return ws, nil
}

// manifestsAtOnce is how many manifests are in memory at once.
const manifestsAtOnce = 8

// remote does what there is to do on one remote.
func (p *prePush) remote(ctx context.Context, name string, ws []wanted) error {
	origin, err := p.r.originID(ctx)
	if err != nil {
		return err
	}
	c, err := p.r.connectFor(ctx, "", name, false)
	if err == nil {
		ws, err = c.unpinned(ctx, origin, ws, PushOptions{})
	}
	if err != nil && !errors.Is(err, remote.ErrNoRemote) {
		return err
	}
	p.r.report.Phase("look at remote "+name, int64(len(ws)), -1)
	for some := range slices.Chunk(ws, manifestsAtOnce) {
		loaded, err := p.load(ctx, some)
		if err != nil {
			return err
		}
		if p.res.Mode == PrePushPush {
			err = p.push(ctx, name, loaded)
		} else {
			err = p.check(ctx, c, name, loaded)
		}
		if err != nil {
			return err
		}
		p.r.report.Add(int64(len(some)), 0)
	}
	return nil
}

// load reads manifests. One that can't be read is warned of: a later commit may have put it right.
func (p *prePush) load(ctx context.Context, ws []wanted) (loaded []wanted, err error) {
	for _, w := range ws {
		raw, err := p.r.git.Contents(ctx, p.objects[w.id], index.MaxRoot)
		if err != nil {
			return nil, err
		}
		if w.version, err = parseVersion(raw); err != nil {
			p.r.report.Warn(w.Dataset+ManifestSuffix, fmt.Sprintf("is no manifest in %.12s: %v", w.commit, err))
			continue
		}
		loaded = append(loaded, w)
	}
	return loaded, nil
}

func (p *prePush) push(ctx context.Context, name string, ws []wanted) error {
	if p.res.Pushed == nil {
		p.res.Pushed = &TransferResult{}
	}
	p.res.Pushed.Problems = nil
	_, err := p.r.pushVersions(ctx, ws, PushOptions{Remote: name}, p.res.Pushed, time.Now())
	p.res.Problems = append(p.res.Problems, p.res.Pushed.Problems...)
	if errors.Is(err, ErrIncomplete) {
		return nil // the others go on
	}
	return err
}

// check looks for each page and pack of versions that have no fresh pin; without a connection nothing was pushed yet.
func (p *prePush) check(ctx context.Context, c *conn, name string, ws []wanted) error {
	for _, w := range ws {
		m := MissingData{RemoteStatus{Dataset: w.Dataset, Remote: name, Root: w.id.String()}, w.commit}
		if c == nil {
			m.Missing = []string{"everything: nothing was pushed there yet"}
		} else if err := c.inspect(ctx, w, &m.RemoteStatus); err != nil {
			return err
		}
		if !m.Complete() {
			p.res.Missing = append(p.res.Missing, m)
		}
	}
	return nil
}

// maxRevs is how many commits a hint names.
const maxRevs = 3

// pushHint is what brings missing versions to the remote.
func (r *Repo) pushHint(missing []MissingData) string {
	cmd := "tarn push"
	var revs []string
	for _, m := range missing {
		v, err := r.readManifest(m.Dataset)
		if here := err == nil && v != nil && v.id.String() == m.Root; !here && !slices.Contains(revs, m.Commit) {
			revs = append(revs, m.Commit)
		}
	}
	for i, rev := range revs {
		if i == maxRevs {
			cmd += " …"
			break
		}
		cmd += fmt.Sprintf(" --rev %.12s", rev)
	}
	if len(revs) > 0 && len(revs) < len(missing) {
		cmd = "tarn push && " + cmd
	}
	return cmd
}
