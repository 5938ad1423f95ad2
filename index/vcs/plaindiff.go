package vcs

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
)

// DiffFiles writes the hunks of git's own diff of two files (absolute; /dev/null is none), without its head, which would name them.
func (r *Repo) DiffFiles(ctx context.Context, w io.Writer, from, to string, color bool) error {
	args := []string{"--no-pager", "diff", "--no-index", "--no-ext-diff", "--no-textconv", "--color=never", "--", from, to}
	if color {
		args[5] = "--color=always"
	}
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := r.command(own, r.dir(), args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return gitError(err, args, "")
	}
	b := bufio.NewReaderSize(out, 64<<10)
	var werr error
	for inside := false; werr == nil; {
		line, rerr := b.ReadString('\n')
		if inside = inside || strings.HasPrefix(strings.TrimLeft(line, "\x1b[0123456789;m"), "@@ "); inside {
			_, werr = io.WriteString(w, line)
		}
		if rerr != nil {
			break
		}
	}
	if werr != nil {
		cancel()
		cmd.Wait()
		return werr
	}
	if err = gitError(cmd.Wait(), args, errs.String()); exitCode(err) == 1 { // they differ
		err = nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return err
}

// Colors says whether a diff on stdout is colored, as configured; a pager that git has started counts as a terminal.
func (r *Repo) Colors(ctx context.Context, tty bool) bool {
	is := "false"
	if tty {
		is = "true"
	}
	out, err := r.run(ctx, "config", "--get-colorbool", "color.diff", is)
	return err == nil && strings.TrimSpace(string(out)) == "true"
}
