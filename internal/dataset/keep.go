package dataset

import (
	"errors"
	"slices"

	"tarn/internal/config"
)

// Keeping says whether the cache keeps the bytes of datasets (docs/adr/0005-no-cache.md).
type Keeping byte

// The values of Keeping. Those but the first are remembered, as [dataset "PATH"] cache of the local configuration.
const (
	KeepAsSet   Keeping = iota // as that setting says; without one, in the cache
	KeepNot                    // not: they are in the workspace and on a remote
	KeepInCache                // in the cache
)

// keeps says whether the cache keeps the bytes of a dataset. Its pages and roots it keeps always.
func (r *Repo) keeps(dataset string, k Keeping) bool {
	if k != KeepAsSet {
		return k == KeepInCache
	}
	v, ok, err := r.cfg.GetBool("dataset", dataset, "cache")
	return !ok || err != nil || v
}

// remember makes k the setting of datasets; changed are those of which it was another one.
func (r *Repo) remember(datasets []string, k Keeping) (changed []string, err error) {
	if k == KeepAsSet {
		return nil, nil
	}
	e := r.editor(config.Local)
	for _, d := range datasets {
		if r.keeps(d, KeepAsSet) == r.keeps(d, k) || slices.Contains(changed, d) {
			continue
		}
		// Without a local setting the other levels may say the same.
		if err := e.Unset("dataset", d, "cache"); err != nil && !errors.Is(err, config.ErrNotSet) {
			return changed, err
		}
		if err := r.loadConfig(); err != nil {
			return changed, err
		}
		if r.keeps(d, KeepAsSet) != r.keeps(d, k) {
			value := map[Keeping]string{KeepNot: "false", KeepInCache: "true"}[k]
			if err := e.Set("dataset", d, "cache", value); err != nil {
				return changed, err
			}
			if err := r.loadConfig(); err != nil {
				return changed, err
			}
		}
		changed = append(changed, d)
	}
	return changed, nil
}

// datasetsOf are the datasets of targets.
func datasetsOf(ts []Target) []string {
	var ds []string
	for _, t := range ts {
		ds = append(ds, t.Dataset)
	}
	return slices.Compact(ds)
}
