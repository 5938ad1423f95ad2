package vcs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
)

// catFile is one long-lived git cat-file.
type catFile struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	err *strings.Builder // what it says; complete once it has ended
}

// Contents is the bytes of an object: an id, or REV:PATH with a path from the root. One of more than max bytes is an error; one that is not there ErrNotFound.
func (r *Repo) Contents(ctx context.Context, name string, max int64) ([]byte, error) {
	if strings.ContainsAny(name, "\n\x00") {
		return r.contentsOnce(ctx, name, max)
	}
	o, err := r.object(ctx, name, max)
	if err == nil && o.kind != "blob" {
		return nil, fmt.Errorf("%s: %w: it is a %s", name, ErrNotFound, o.kind)
	}
	return o.bytes, err
}

// object is what git cat-file says about one.
type object struct {
	id, kind string
	bytes    []byte
}

func (r *Repo) object(ctx context.Context, name string, max int64) (o object, err error) {
	err = r.stream(ctx, name, func(id, kind string, size int64, body io.Reader) error {
		if size > max {
			return fmt.Errorf("%s has %d bytes, more than %d", name, size, max)
		}
		o = object{id, kind, make([]byte, size)}
		_, err := io.ReadFull(body, o.bytes)
		return err
	})
	if err != nil {
		return object{}, err
	}
	return o, nil
}

// stream hands over an object, of which use reads as much as it wants. An error of use is returned as it is.
func (r *Repo) stream(ctx context.Context, name string, use func(id, kind string, size int64, body io.Reader) error) error {
	r.cat.mu.Lock()
	defer r.cat.mu.Unlock()
	if err := r.startCat(); err != nil {
		return err
	}
	process := r.cat.cmd.Process
	stop := context.AfterFunc(ctx, func() { process.Kill() })
	used, err := r.cat.read(name, use)
	if !stop() || used != nil || err != nil && !errors.Is(err, ErrNotFound) {
		r.stopCat() // its output may be half read
		if why := strings.TrimSpace(r.cat.err.String()); why != "" && used == nil {
			err = &GitError{[]string{"cat-file"}, strings.TrimPrefix(why, "fatal: "), -1} // a partial clone that could not fetch, say
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if used != nil {
		return used
	}
	return err
}

// contentsOnce is for names that the line protocol can't carry.
func (r *Repo) contentsOnce(ctx context.Context, name string, max int64) ([]byte, error) {
	out, err := r.run(ctx, "cat-file", "blob", name)
	if exitCode(err) > 0 {
		return nil, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	if err == nil && int64(len(out)) > max {
		err = fmt.Errorf("%s has more than %d bytes", name, max)
	}
	return out, err
}

// startCat starts it without a context: it lives until Close.
func (r *Repo) startCat() error {
	if r.cat.cmd != nil {
		return nil
	}
	cmd := r.command(context.Background(), r.dir(), "cat-file", "--batch")
	said := &strings.Builder{}
	cmd.Stderr = said
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return gitError(err, []string{"cat-file"}, "")
	}
	r.cat.cmd, r.cat.in, r.cat.out, r.cat.err = cmd, in, bufio.NewReaderSize(out, 64<<10), said
	return nil
}

// read asks for an object; used is the error of use.
func (c *catFile) read(name string, use func(id, kind string, size int64, body io.Reader) error) (used, err error) {
	if _, err := io.WriteString(c.in, name+"\n"); err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	line, err := c.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	line = strings.TrimSuffix(line, "\n")
	if strings.HasSuffix(line, " missing") || strings.HasSuffix(line, " ambiguous") || strings.HasSuffix(line, " submodule") {
		return nil, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	f := strings.Fields(line)
	if len(f) != 3 {
		return nil, fmt.Errorf("git cat-file answered %q", line)
	}
	n, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("git cat-file answered %q", line)
	}
	body := &io.LimitedReader{R: c.out, N: n}
	if used = use(f[0], f[1], n, body); used != nil {
		return used, nil
	}
	if _, err := io.CopyN(io.Discard, c.out, body.N+1); err != nil { // and the end of the line
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	return nil, nil
}

func (r *Repo) stopCat() error {
	if r.cat.cmd == nil {
		return nil
	}
	r.cat.in.Close()
	r.cat.cmd.Process.Kill()
	r.cat.cmd.Wait()
	r.cat.cmd = nil
	return nil
}

// Close ends what the repository started.
func (r *Repo) Close() error {
	r.cat.mu.Lock()
	defer r.cat.mu.Unlock()
	return r.stopCat()
}
