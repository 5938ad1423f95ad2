// Command bench measures tarn against cp, git and DVC on workloads that it makes itself; see README.md beside it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	b := &bench{ctx: ctx}
	var only, mutate, mk, out string
	flag.StringVar(&b.dir, "dir", filepath.Join(os.TempDir(), "tarn-bench"), "work directory; needs 50 GB; workloads in it are used again")
	flag.StringVar(&b.tarn, "tarn", "", "binary to measure; empty: built from here")
	flag.StringVar(&b.dvc, "dvc", lookPath("dvc"), "DVC's binary; empty: not measured")
	flag.IntVar(&b.runs, "runs", 5, "rounds of each experiment")
	flag.Float64Var(&b.scale, "scale", 1, "share of each workload")
	flag.BoolVar(&b.cold, "cold", false, "drop the page cache before each run (root, Linux)")
	flag.StringVar(&only, "only", "", "names of experiments, with commas; empty: all")
	flag.StringVar(&out, "o", "bench/RESULTS.md", "where the report goes")
	flag.StringVar(&mk, "make", "", "only make this workload, in -dir")
	flag.StringVar(&mutate, "mutate", "", "only change the small workload in this directory to its next version")
	var put, key, mutatedTable string
	flag.BoolVar(&b.network, "network", false, "the experiments with a remote: an S3 server on loopback, restic, rclone")
	flag.StringVar(&put, "puts", "", "only send this file with minio-go")
	flag.StringVar(&key, "key", "", "prefix for -puts")
	flag.StringVar(&mutatedTable, "mutate-table", "", "only change the CSV file to its next version")
	cuts := flag.Bool("chunks", false, "only print how well files are cut by content, with chunks of several sizes")
	flag.Parse()
	switch {
	case *cuts:
		return chunks()
	case put != "":
		return puts(ctx, put, key)
	case mutatedTable != "":
		return mutateTable(mutatedTable)
	case mutate != "":
		return small.mutate(mutate)
	case mk != "":
		for _, w := range []workload{small, few, images, large, table, million} {
			if w.name == mk {
				return w.make(b.dir, b.scale)
			}
		}
		return fmt.Errorf("there is no workload %q", mk)
	}
	var err error
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	runs := filepath.Join(b.dir, "runs")
	if err := errors.Join(os.RemoveAll(runs), os.MkdirAll(runs, 0o777), os.MkdirAll(filepath.Join(b.dir, "data"), 0o777)); err != nil {
		return err
	}
	defer os.RemoveAll(runs)
	if b.tarn == "" {
		b.tarn = filepath.Join(b.dir, "tarn")
		if err := build(ctx, b.tarn); err != nil {
			return err
		}
	}
	if b.network {
		s, err := serve(ctx)
		if err != nil {
			return err
		}
		defer s.Close()
		b.bucket = filepath.Join(s.Data, bucket)
	}
	rows, err := b.all(only)
	if err != nil {
		return err
	}
	return b.report(rows, out)
}

func (b *bench) all(only string) (rows []row, err error) {
	all := experiments
	if b.network {
		all = network
	}
	for _, e := range all {
		if only != "" && !slices.Contains(strings.Split(only, ","), e.id) {
			continue
		}
		if e.load != nil {
			data, err := b.workload(*e.load)
			if err != nil {
				return nil, err
			}
			os.Setenv("DATA", data)
		}
		r, err := b.measure(e)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return nil, errors.New("there is no such experiment")
	}
	return rows, nil
}

func build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", to, "./cmd/tarn")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

func lookPath(name string) string {
	p, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return p
}
