package dataset

import (
	"context"
	"fmt"
	"os"

	"tarn/index"
)

// checkRemotes says, before anything is done, where datasets that the cache does not keep have no remote to go to or to come from.
func (r *Repo) checkRemotes(ts []Target, k Keeping, remote string) error {
	for _, t := range ts {
		if r.keeps(t.Dataset, k) {
			continue
		}
		name, err := r.remoteFor(t.Dataset, remote)
		if err == nil {
			_, err = r.bucket(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkRemote says where a remote was named, and the bytes of a dataset would not go there.
func (r *Repo) checkRemote(ts []Target, o AddOptions) error {
	for _, t := range ts {
		if o.Remote != "" && r.keeps(t.Dataset, o.Keep) {
			return &Hinted{fmt.Errorf("%w: the bytes of %s go into the cache, and not to remote %s", ErrUsage, t.Dataset, o.Remote), "tarn add --to-remote -r " + o.Remote + " " + t.String()}
		}
	}
	return r.checkRemotes(ts, o.Keep, o.Remote)
}

// send brings a version to its remote, out of the workspace. A file that is no longer what was hashed is a problem, and then nothing is published.
func (a *adding) send(ctx context.Context, v *version) error {
	name, err := a.r.remoteFor(a.t.Dataset, a.o.Remote)
	if err != nil {
		return err
	}
	commit, _, err := a.r.git.Head(ctx)
	if err != nil {
		return err
	}
	res := &TransferResult{}
	err = a.r.pushTo(ctx, name, []wanted{{Target{Dataset: a.t.Dataset}, v, commit}}, PushOptions{hashed: &a.t}, res)
	a.out.Remote, a.out.NewFiles, a.out.NewBytes = name, res.Files, res.Bytes
	a.res.Sent += res.Sent
	a.res.Problems = append(a.res.Problems, res.Problems...)
	a.bad = a.bad || len(res.Problems) > 0
	return err
}

// hashed says that the workspace had the entry just now.
func (p *push) hashed(e *index.Entry) bool {
	t := p.o.hashed
	if t == nil || !under(e.Path, t.Prefix) && e.Path != "." {
		return false
	}
	info, err := os.Lstat(p.r.entryPath(t.Dataset, e.Path))
	return err == nil && info.Mode().IsRegular() && info.Size() == e.Size
}
