package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// hookNames are the hooks that tarn installs.
var hookNames = []string{"post-checkout", "post-merge", "post-rewrite", "pre-push"}

// HookState is how one of Git's hooks stands.
type HookState struct {
	Name    string // pre-push
	State   HookKind
	Chained bool // there is another hook that runs first
	Changed bool // by this run
}

// HookKind says what a hook is.
type HookKind string

// The states of a hook.
const (
	HookMissing   HookKind = "not installed"
	HookInstalled HookKind = "installed"
	HookCalls     HookKind = "yours, and calls tarn" // a script of the user's, or pre-commit's, that runs tarn's
	HookForeign   HookKind = "yours"                 // and does not
)

// HooksResult is what the verbs of hooks found and did.
type HooksResult struct {
	Dir      string // where Git looks for hooks
	PrePush  string // check, push, off
	Hooks    []HookState
	Problems []Problem
}

// HooksOptions say how to install.
type HooksOptions struct {
	Exe   string // absolute path of tarn, for when it is not on PATH
	Force bool   // also into a directory that other repositories share
}

// chainedSuffix ends the name of a hook that was there before ours, which runs first.
const chainedSuffix = ".before-tarn"

// legacySuffix is how the pre-commit framework renames a hook that it then runs first.
const legacySuffix = ".legacy"

// hookMark is in the second line of our hooks.
const hookMark = "# tarn hook:"

// HookStates looks at Git's hooks.
func (r *Repo) HookStates(ctx context.Context) (*HooksResult, error) {
	res, _, err := r.hooks(ctx)
	return res, err
}

func (r *Repo) hooks(ctx context.Context) (res *HooksResult, outside bool, err error) {
	dir, outside, err := r.git.HooksDir(ctx)
	if err != nil {
		return nil, false, err
	}
	mode, err := r.prePushMode()
	if err != nil {
		return nil, false, err
	}
	res = &HooksResult{Dir: dir, PrePush: mode}
	for _, name := range hookNames {
		h, err := readHook(dir, name)
		if err != nil {
			return nil, false, err
		}
		res.Hooks = append(res.Hooks, HookState{Name: name, State: h.kind, Chained: h.chained})
	}
	return res, outside, nil
}

func (r *Repo) prePushMode() (string, error) {
	mode, _, ok := r.cfg.Get("hooks", "", "prePush")
	if !ok {
		return PrePushCheck, nil
	}
	return mode, r.cfg.Validate("hooks", "", "prePush")
}

// hook is a hook as it is on the disk.
type hook struct {
	path    string
	kind    HookKind
	text    string
	chained bool // the file with chainedSuffix is there
	legacy  bool // the file with legacySuffix is ours
}

const maxHook = 1 << 20 // bytes that are read of a hook

func readHook(dir, name string) (hook, error) {
	h := hook{path: filepath.Join(dir, name), kind: HookMissing}
	h.chained = fileExists(h.path + chainedSuffix)
	legacy, err := readPart(h.path+legacySuffix, maxHook)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return h, err
	}
	h.legacy = isOurHook(legacy)
	h.text, err = readPart(h.path, maxHook)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return h, nil
	case err != nil:
		return h, err
	case isOurHook(h.text):
		h.kind = HookInstalled
	case h.legacy, strings.Contains(h.text, "tarn hooks run "+name):
		h.kind = HookCalls
	default:
		h.kind = HookForeign
	}
	return h, nil
}

func fileExists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// readPart reads at most max bytes of a file.
func readPart(name string, max int64) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max))
	return string(b), err
}

func isOurHook(text string) bool {
	_, rest, _ := strings.Cut(text, "\n")
	return strings.HasPrefix(rest, hookMark)
}

// InstallHooks writes Git's hooks; one that is there keeps running, first. What is installed already stays as it is.
func (r *Repo) InstallHooks(ctx context.Context, o HooksOptions) (*HooksResult, error) {
	res, outside, err := r.hooks(ctx)
	if err != nil {
		return nil, err
	}
	if outside && !o.Force {
		return nil, &Hinted{fmt.Errorf("%w: core.hooksPath is %s, outside of this repository: hooks there run for others, too", ErrRefused, res.Dir),
			"git config core.hooksPath .git/hooks, or tarn hooks install --force"}
	}
	if err := r.disk.MkdirAll(res.Dir, 0o777); err != nil {
		return nil, err
	}
	for i := range res.Hooks {
		h := &res.Hooks[i]
		if err := r.installHook(res.Dir, h, o.Exe); err != nil {
			res.Problems = append(res.Problems, Problem{Path: h.Name, Side: "git", Err: err})
		}
	}
	if n := refusals(nil, res.Problems); n > 0 {
		return res, fmt.Errorf("%w: %s not installed", ErrRefused, plural(n, "hook"))
	}
	_, err = r.installDrivers(ctx) // a clone of a repository that has tarn already needs them, too
	return res, outcome(err, res.Problems)
}

func (r *Repo) installHook(dir string, state *HookState, exe string) error {
	h, err := readHook(dir, state.Name)
	if err != nil {
		return err
	}
	script := hookScript(state.Name, exe)
	switch {
	case h.kind == HookCalls, h.kind == HookInstalled && h.text == script:
		return nil
	case h.kind == HookForeign && h.chained:
		return &Hinted{fmt.Errorf("%w: both %s and %s are there already", ErrRefused, h.path, h.path+chainedSuffix),
			fmt.Sprintf(`add the line: tarn hooks run %s "$@"`, state.Name)}
	case h.kind == HookForeign:
		if err := r.disk.Rename(h.path, h.path+chainedSuffix); err != nil {
			return err
		}
		state.Chained = true
	}
	if err := r.disk.WriteFile(h.path, []byte(script), 0o777); err != nil {
		return err
	}
	state.State, state.Changed = HookInstalled, true
	return nil
}

// UninstallHooks takes our hooks away, and gives those that were there before their names back.
func (r *Repo) UninstallHooks(ctx context.Context) (*HooksResult, error) {
	res, _, err := r.hooks(ctx)
	if err != nil {
		return nil, err
	}
	for i := range res.Hooks {
		state := &res.Hooks[i]
		if err := r.uninstallHook(res.Dir, state); err != nil {
			res.Problems = append(res.Problems, Problem{Path: state.Name, Side: "git", Err: err})
		}
	}
	return res, outcome(nil, res.Problems)
}

func (r *Repo) uninstallHook(dir string, state *HookState) error {
	h, err := readHook(dir, state.Name)
	if err != nil {
		return err
	}
	switch {
	case h.legacy && h.chained: // ours runs first in a hook that is not ours, and runs another one first
		if err := r.disk.Rename(h.path+chainedSuffix, h.path+legacySuffix); err != nil {
			return err
		}
		state.Changed = true
	case h.legacy:
		if err := r.disk.Remove(h.path + legacySuffix); err != nil {
			return err
		}
		state.Changed = true
	case h.kind != HookInstalled && h.kind != HookMissing:
	case h.chained:
		if err := r.disk.Rename(h.path+chainedSuffix, h.path); err != nil {
			return err
		}
		state.Changed = true
	case h.kind == HookInstalled:
		if err := r.disk.Remove(h.path); err != nil {
			return err
		}
		state.Changed = true
	}
	h, err = readHook(dir, state.Name)
	state.State, state.Chained = h.kind, h.chained
	return err
}
