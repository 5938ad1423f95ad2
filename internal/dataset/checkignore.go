package dataset

import (
	"fmt"
	"os"
	"strings"

	"tarn/index"
	"tarn/index/scan"
	"tarn/internal/durable"
)

// IgnoreCheck says whether a path is left out of its dataset, and by which rule.
type IgnoreCheck struct {
	Arg     string // as the user wrote it
	Path    string // relative to the root of the repository
	Ignored bool
	Rule    scan.Rule // that decided; without a File one that is built in
	Matched bool      // there is such a rule
}

// CheckIgnore asks the rules of .tarnignore about paths, which need not exist. One that is in no dataset is asked about as if the whole repository were one.
func (r *Repo) CheckIgnore(paths []string) ([]IgnoreCheck, error) {
	var out []IgnoreCheck
	for _, arg := range paths {
		p, err := r.rel(arg)
		if err != nil {
			return nil, err
		}
		if p == "" {
			return nil, fmt.Errorf("%w: %s is the root of the repository", ErrUsage, arg)
		}
		c, err := r.checkIgnore(p, strings.HasSuffix(arg, "/"))
		if err != nil {
			return nil, err
		}
		c.Arg = arg
		out = append(out, c)
	}
	return out, nil
}

func (r *Repo) checkIgnore(p string, isDir bool) (c IgnoreCheck, err error) {
	c.Path = p
	t, _ := r.owner(p)
	if name, ok := neverIn(t.Prefix); t.Dataset != "" && ok {
		c.Ignored, c.Matched, c.Rule = true, true, scan.Rule{Pattern: name}
		return c, nil
	}
	if info, serr := os.Lstat(r.abs(p)); serr == nil {
		isDir = info.IsDir()
	}
	c.Rule, c.Matched, err = scan.Explain(r.root, t.Dataset, p, isDir)
	c.Ignored = c.Matched && !c.Rule.Negated
	return c, err
}

// neverIn finds a name in a path that no dataset has, whatever the rules say.
func neverIn(path string) (string, bool) {
	for name := range strings.SplitSeq(path, "/") {
		if index.ForbiddenName(name) || strings.HasPrefix(name, ".") && durable.IsTemp(name) {
			return name, true
		}
	}
	return "", false
}
