package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"tarn/index"
	"tarn/internal/profile"
	"tarn/store/digest"
)

// profileVariant is the name of a profile on a remote, below the digest of its file: the version of the format, and how the file was read.
func profileVariant(options digest.Digest) string {
	return fmt.Sprintf("%d-%s", profile.Version, shortOptions(options))
}

// profileSize is from how many bytes of a file on its profile goes to remotes: one of a smaller file saves nobody anything.
const profileSize = 4 << 10

// remoteProfile is the profile that the remote has of a file, or nil: then the file is read, and what is wrong with the remote is told then.
func (s *versionSource) remoteProfile(ctx context.Context, d, options digest.Digest) *profile.Profile {
	c, err := s.r.connectFor(ctx, s.w.Dataset, s.remote, false)
	if err != nil {
		return nil
	}
	b, err := c.rem.Profile(ctx, d, profileVariant(options), profile.MaxSize)
	if err != nil {
		return nil
	}
	return decodeProfile(b, d, options)
}

// keptProfiles are the files of which profiles are kept here and were not sent to a remote, with the options' part of the names.
func (r *Repo) keptProfiles(sent map[string]bool) (map[digest.Digest][]string, error) {
	kept := map[digest.Digest][]string{}
	dir := filepath.Join(r.common, "profile")
	heads, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, h := range heads {
		if !h.IsDir() || len(h.Name()) != 2 {
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, h.Name()))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			rest, options, ok := strings.Cut(f.Name(), "-")
			d, err := digest.Parse(h.Name() + rest)
			if ok && err == nil && len(options) == 16 && !sent[d.String()+"-"+options] {
				kept[d] = append(kept[d], options)
			}
		}
	}
	return kept, nil
}

// sentProfiles are the names of those that a remote got from here. What can't be read is sent again.
func (r *Repo) sentProfiles(c *conn) (name string, sent map[string]bool) {
	name, sent = filepath.Join(r.common, "profile", "sent-"+c.rem.ID()), map[string]bool{}
	b, err := os.ReadFile(name)
	if err != nil {
		return name, sent
	}
	for line := range strings.Lines(string(b)) {
		sent[strings.TrimSuffix(line, "\n")] = true
	}
	return name, sent
}

// pushProfiles sends the profiles that are kept of files in versions, and of no other files. They can be made again: what fails is a warning.
func (c *conn) pushProfiles(ctx context.Context, ws []wanted) {
	if err := c.sendProfiles(ctx, ws); err != nil && ctx.Err() == nil {
		c.r.report.Warn("profiles", fmt.Sprintf("were not pushed: %v", onRemote(c.name, err)))
	}
}

func (c *conn) sendProfiles(ctx context.Context, ws []wanted) error {
	list, sent := c.r.sentProfiles(c)
	kept, err := c.r.keptProfiles(sent)
	if err != nil || len(kept) == 0 {
		return err
	}
	var names []string
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.r.jobs())
	walk := func() error {
		for _, w := range ws {
			for e, err := range index.Walk(gctx, w.Manifest, c.r.anywhere(w.Dataset), "") {
				if err != nil {
					return err
				}
				if e.Size < profileSize {
					continue
				}
				for _, options := range kept[e.Digest] {
					names = append(names, e.Digest.String()+"-"+options)
					g.Go(func() error { return c.sendProfile(gctx, e.Digest, options) })
				}
				delete(kept, e.Digest)
			}
		}
		return nil
	}
	err = walk()
	if gerr := g.Wait(); gerr != nil {
		err = gerr
	}
	if err != nil || len(names) == 0 {
		return err
	}
	for n := range sent {
		names = append(names, n)
	}
	slices.Sort(names)
	err = c.r.disk.WriteFile(list, []byte(strings.Join(names, "\n")+"\n"), 0o666)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// sendProfile sends one, if it is one.
func (c *conn) sendProfile(ctx context.Context, d digest.Digest, options string) error {
	b, err := os.ReadFile(c.r.profilePath(d, options))
	if err != nil {
		return err
	}
	_, file, opts, err := profile.Decode(b)
	if err != nil || file != d || shortOptions(opts) != options {
		return nil // is made again here the next time
	}
	return c.rem.PutProfile(ctx, d, profileVariant(opts), b)
}
