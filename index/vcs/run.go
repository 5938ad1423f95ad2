package vcs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"strings"
)

// environment is that of git: messages in English, no locks for looking, paths taken literally.
func environment(env []string) []string {
	if env == nil {
		env = os.Environ()
	}
	return append(env[:len(env):len(env)], "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0",
		"GIT_LITERAL_PATHSPECS=1", "GIT_GLOB_PATHSPECS=0", "GIT_NOGLOB_PATHSPECS=0", "GIT_ICASE_PATHSPECS=0")
}

// GitError is a git that failed.
type GitError struct {
	Args   []string
	Stderr string
	Code   int
}

func (e *GitError) Error() string {
	verb := e.Args[0]
	if verb == globbing {
		verb = e.Args[1]
	}
	if e.Stderr == "" {
		return fmt.Sprintf("git %s: exit code %d", verb, e.Code)
	}
	return fmt.Sprintf("git %s: %s", verb, e.Stderr)
}

// globbing, as the first argument, lets pathspecs be patterns, which the environment turns off otherwise; check-ignore knows none of the two.
const globbing = "--glob-pathspecs"

func (r *Repo) command(ctx context.Context, dir string, args ...string) *exec.Cmd {
	env := r.env
	if args[0] == globbing || args[0] == "check-ignore" {
		env = append(env[:len(env):len(env)], "GIT_LITERAL_PATHSPECS=0")
	}
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = dir, env
	return cmd
}

// dir is where git runs: the top of the work tree, else the repository.
func (r *Repo) dir() string {
	if r.Root != "" {
		return r.Root
	}
	return r.GitDir
}

func (r *Repo) run(ctx context.Context, args ...string) ([]byte, error) {
	return r.runIn(ctx, r.dir(), nil, args...)
}

// runIn runs git and returns what it printed. Errors: ErrNoGit, *GitError.
func (r *Repo) runIn(ctx context.Context, dir string, stdin []byte, args ...string) ([]byte, error) {
	cmd := r.command(ctx, dir, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if stdin != nil {
		cmd.Stdin = bytes.NewReader(stdin)
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return out.Bytes(), gitError(err, args, errs.String())
}

// eachField runs git with -z among args and hands over one field of its output after the other, so that memory does not grow with it.
func (r *Repo) eachField(ctx context.Context, each func(string), args ...string) error {
	return r.eachFieldOf(ctx, nil, each, args...)
}

// eachFieldOf is eachField for a git that reads something.
func (r *Repo) eachFieldOf(ctx context.Context, stdin []byte, each func(string), args ...string) error {
	for s, err := range r.fieldsOf(ctx, stdin, args...) {
		if err != nil {
			return err
		}
		each(s)
	}
	return nil
}

// fieldsOf is eachField as a sequence, which ends after an error; git ends when the caller stops.
func (r *Repo) fieldsOf(ctx context.Context, stdin []byte, args ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		own, cancel := context.WithCancel(ctx)
		defer cancel()
		cmd := r.command(own, r.dir(), args...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if stdin != nil {
			cmd.Stdin = bytes.NewReader(stdin)
		}
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			yield("", gitError(err, args, ""))
			return
		}
		b := bufio.NewReaderSize(out, 64<<10)
		for s, rerr := b.ReadString(0); rerr == nil; s, rerr = b.ReadString(0) {
			if !yield(s[:len(s)-1], nil) {
				cancel()
				cmd.Wait()
				return
			}
		}
		err = gitError(cmd.Wait(), args, errs.String())
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if err != nil {
			yield("", err)
		}
	}
}

func gitError(err error, args []string, stderr string) error {
	var exit *exec.ExitError
	switch {
	case err == nil && strings.Contains(stderr, "ignoring broken ref"):
		return &GitError{args, strings.TrimSpace(stderr), 0} // what a ref needs is unknown then
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound):
		return ErrNoGit
	case errors.As(err, &exit):
		return &GitError{args, strings.TrimPrefix(strings.TrimSpace(stderr), "fatal: "), exit.ExitCode()}
	}
	return fmt.Errorf("git %s: %w", args[0], err)
}

// exitCode is that of a failed git, or -1.
func exitCode(err error) int {
	var g *GitError
	if errors.As(err, &g) {
		return g.Code
	}
	return -1
}

// fields splits output that -z made.
func fields(out []byte) []string {
	if len(out) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}
