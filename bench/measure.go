package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench is where and with which programs experiments run.
type bench struct {
	ctx   context.Context
	dir   string // work directory
	tarn  string // the binary
	dvc   string // "": not measured
	self  string // this program, for workloads
	runs  int
	scale float64
	cold  bool

	network bool
	bucket  string // directory in which the S3 server has its objects
}

// sample is one timed run.
type sample struct {
	wall, cpu time.Duration
	peak      int64 // bytes of memory of the largest process
}

// shell runs a script in a contestant's directory.
func (b *bench) shell(dir, script string) (sample, error) {
	s, _, err := b.output(dir, script)
	return s, err
}

// output is shell, with what the script prints.
func (b *bench) output(dir, script string) (sample, string, error) {
	cmd := exec.CommandContext(b.ctx, "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"TARN="+b.tarn, "DVC="+b.dvc, "BENCH="+b.self, "HOME="+b.dir, "XDG_CONFIG_HOME="+filepath.Join(b.dir, ".config"), "DVC_NO_ANALYTICS=1",
		"DVC_SITE_CACHE_DIR="+filepath.Join(dir, "site"), "RESTIC_CACHE_DIR="+filepath.Join(dir, "restic-cache"), "KEY="+b.key(dir), "UP="+b.key(filepath.Dir(dir)),
		"GIT_AUTHOR_NAME=b", "GIT_AUTHOR_EMAIL=b@b", "GIT_COMMITTER_NAME=b", "GIT_COMMITTER_EMAIL=b@b", "GIT_CONFIG_NOSYSTEM=1")
	start := time.Now()
	out, err := cmd.CombinedOutput()
	s := sample{wall: time.Since(start)}
	if err != nil {
		return s, "", fmt.Errorf("%s\n%w\n%s", script, err, out)
	}
	s.cpu, s.peak = cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), peak(cmd.ProcessState)
	return s, string(out), nil
}

// key is a name for a directory of an experiment, as prefix in the bucket.
func (b *bench) key(dir string) string {
	rel, err := filepath.Rel(filepath.Join(b.dir, "runs"), dir)
	if err != nil {
		return "none"
	}
	return strings.NewReplacer("/", "-", " ", "-", ".", "-").Replace(filepath.ToSlash(rel))
}

// row is what an experiment found, by contestant.
type row struct {
	experiment
	samples map[string][]sample
	shares  float64 // see experiment.share
}

// measure runs an experiment. Contestants take turns, so that what else the machine does hits all of them.
func (b *bench) measure(e experiment) (row, error) {
	out := row{experiment: e, samples: map[string][]sample{}}
	if e.share != "" {
		var err error
		if out.shares, err = b.shares(e); err != nil {
			return out, err
		}
	}
	dir := filepath.Join(b.dir, "runs", e.id)
	contestants := slices.DeleteFunc(slices.Clone(e.contestants), func(c contestant) bool {
		return c.name == "dvc" && b.dvc == "" || (c.name == "restic" || c.name == "rclone") && lookPath(c.name) == ""
	})
	for _, c := range contestants {
		if err := os.MkdirAll(filepath.Join(dir, c.name), 0o777); err != nil {
			return out, err
		}
		if _, err := b.shell(filepath.Join(dir, c.name), c.once+"\nsync"); err != nil {
			return out, err
		}
	}
	for i := range b.runs {
		for _, c := range contestants {
			if c.rounds > 0 && i >= c.rounds {
				continue
			}
			here := filepath.Join(dir, c.name, fmt.Sprintf("round%d", i))
			if err := os.Mkdir(here, 0o777); err != nil {
				return out, err
			}
			if _, err := b.shell(here, c.each+"\nsync"); err != nil {
				return out, err
			}
			if b.cold {
				if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
					return out, err
				}
			}
			s, err := b.shell(here, c.run)
			if err != nil {
				return out, err
			}
			out.samples[c.name] = append(out.samples[c.name], s)
			if e.load == &large || b.network && e.load == &images { // 30 GB otherwise
				err := os.RemoveAll(here)
				if b.network {
					err = errors.Join(err, os.RemoveAll(filepath.Join(b.bucket, b.key(here))))
				}
				if err != nil {
					return out, err
				}
			}
			fmt.Fprintf(os.Stderr, "%-12s %-5s %8.3f s wall %8.3f s cpu %6d MiB\n", e.id, c.name, s.wall.Seconds(), s.cpu.Seconds(), s.peak>>20)
		}
	}
	return out, nil
}

// median of the wall times of a contestant, and their range.
func (r *row) median(name string) (mid, low, high time.Duration, ok bool) {
	var walls []time.Duration
	for _, s := range r.samples[name] {
		walls = append(walls, s.wall)
	}
	if len(walls) == 0 {
		return 0, 0, 0, false
	}
	slices.Sort(walls)
	return walls[len(walls)/2], walls[0], walls[len(walls)-1], true
}

func (r *row) peak(name string) (most int64) {
	for _, s := range r.samples[name] {
		most = max(most, s.peak)
	}
	return most
}

// workload makes the data of an experiment once, and returns where they are.
func (b *bench) workload(w workload) (string, error) {
	dir := filepath.Join(b.dir, "data", fmt.Sprintf("%s-%g", w.name, b.scale))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	tmp := dir + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return "", err
	}
	if err := w.make(tmp, b.scale); err != nil {
		return "", err
	}
	return dir, os.Rename(tmp, dir)
}

// machine says what the figures were measured on.
func machine() string {
	model := ""
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if _, m, ok := strings.Cut(line, "model name\t: "); ok {
				model = strings.TrimSpace(m)
				break
			}
		}
	}
	return model
}
