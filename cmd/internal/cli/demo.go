package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

type demoResult struct {
	Dir   jsonPath `json:"dir"`
	Kept  bool     `json:"kept"`
	Files int      `json:"files_compared"`
}

func (a *app) demoCommand() *cobra.Command {
	return verb{
		use: "demo [DIR]", group: "other", args: cobra.MaximumNArgs(1),
		short: "Show the whole loop on a small dataset",
		long: `Makes a small dataset of tables and pictures in a scratch repository, and runs
the loop with this binary: init, add, push to a directory, clone, pull, change,
push, pull; each command is printed before it runs. At the end both copies are
compared byte by byte. DIR, which must be empty or new, is kept.`,
		example: "  tarn demo\n  tarn demo /tmp/tarn-demo",
	}.command(func(ctx context.Context, args []string) error {
		d := &demo{a: a, ctx: ctx}
		return d.run(args)
	})
}

// demo is one run; the first error ends it.
type demo struct {
	a     *app
	ctx   context.Context
	top   string
	env   []string
	files int
}

func (d *demo) run(args []string) (err error) {
	if _, err := exec.LookPath("git"); err != nil {
		return &dataset.Hinted{Err: errors.New("git is not installed, and the demo needs it"), Hint: "install git"}
	}
	keep := len(args) > 0
	if d.top, err = d.place(args); err != nil {
		return err
	}
	if !keep {
		defer os.RemoveAll(d.top)
	}
	d.env = append(d.a.Environ, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Demo", "GIT_AUTHOR_EMAIL=demo@example.com",
		"GIT_COMMITTER_NAME=Demo", "GIT_COMMITTER_EMAIL=demo@example.com", "NO_COLOR=1")
	if err := d.story(); err != nil {
		return err
	}
	return d.a.show("demo", &demoResult{jsonPath(d.top), keep, d.files})
}

func (d *demo) place(args []string) (string, error) {
	if len(args) == 0 {
		return os.MkdirTemp("", "tarn-demo-")
	}
	dir, err := filepath.Abs(args[0])
	if err != nil {
		return "", err
	}
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if len(names) > 0 {
		return "", fmt.Errorf("%w: %s is not empty", dataset.ErrUsage, args[0])
	}
	return dir, os.MkdirAll(dir, 0o777)
}

// story is what a first day with tarn looks like.
func (d *demo) story() error {
	work, clone := filepath.Join(d.top, "work"), filepath.Join(d.top, "colleague")
	if err := makeDemoData(filepath.Join(work, "data"), 1); err != nil {
		return err
	}
	remote := filepath.Join(d.top, "remote")
	for _, step := range []struct {
		say, dir, cmd string
	}{
		{"A Git repository with a dataset: tables and pictures.", work, "git init -q -b main"},
		{"", work, "tarn init"},
		{"", work, "tarn add data"},
		{"", work, "git add -A"},
		{"", work, "git commit -q -m data,-first-version"},
		{"Its bytes go to a remote, here a directory.", work, "tarn remote add origin " + remote},
		{"", work, "tarn push"},
		{"", work, "git commit -q -a -m remote"},
		{"A colleague clones and pulls.", d.top, "git clone -q work colleague"},
		{"", clone, "tarn pull"},
	} {
		if err := d.step(step.say, step.dir, step.cmd); err != nil {
			return err
		}
	}
	if err := d.compare(work, clone); err != nil {
		return err
	}
	if err := makeDemoData(filepath.Join(work, "data"), 2); err != nil {
		return err
	}
	for _, step := range []struct {
		say, dir, cmd string
	}{
		{"The data changes: rows are appended, a picture is added.", work, "tarn status"},
		{"", work, "tarn add data"},
		{"", work, "git commit -q -a -m data,-second-version"},
		{"What did that change?", work, "tarn diff HEAD~1 HEAD"},
		{"", work, "tarn log --oneline"},
		{"Only what is new is sent.", work, "tarn push"},
		{"The colleague gets it; only what differs is touched.", clone, "git pull -q"},
		{"", clone, "tarn status"},
		{"", clone, "tarn pull"},
		{"And back: any version is a checkout away.", clone, "git checkout -q HEAD~1"},
		{"", clone, "tarn checkout"},
		{"A contract is guessed from that version.", clone, "tarn check --init data"},
		{"", clone, "git checkout -q main"},
		{"", clone, "tarn checkout"},
		{"For CI: is every byte of this commit on the remote?", clone, "tarn status --on-remote --exit-code"},
		{"And do the tables keep to the contract?", clone, "tarn check"},
	} {
		if err := d.step(step.say, step.dir, step.cmd); err != nil {
			return err
		}
	}
	return d.compare(work, clone)
}

// step prints a command and runs it; the commands of the demo have no quotes.
func (d *demo) step(say, dir, line string) error {
	if say != "" {
		d.print("\n%s\n", d.a.paint(d.a.OutTTY, bold, "# "+say))
	}
	d.print("%s\n", d.a.paint(d.a.OutTTY, green, "$ "+line))
	words := strings.Fields(line)
	name := words[0]
	if name == "tarn" {
		name = d.a.Self
	}
	cmd := exec.CommandContext(d.ctx, name, words[1:]...)
	cmd.Dir, cmd.Env = dir, d.env
	out, err := cmd.CombinedOutput()
	d.print("%s", out)
	if err != nil {
		if d.a.json || d.a.jsonl || d.a.quiet {
			d.a.Err.Write(out)
		}
		return fmt.Errorf("demo: %s: %w", line, err)
	}
	return nil
}

func (d *demo) print(format string, args ...any) {
	if !d.a.json && !d.a.jsonl && !d.a.quiet {
		fmt.Fprintf(d.a.Out, format, args...)
	}
}

// compare fails unless both copies of the dataset have the same files with the same bytes.
func (d *demo) compare(a, b string) error {
	n, err := sameTree(filepath.Join(a, "data"), filepath.Join(b, "data"))
	if err != nil {
		return fmt.Errorf("demo: compare: %w", err)
	}
	d.files = n
	d.print("%s\n", d.a.paint(d.a.OutTTY, dim, fmt.Sprintf("(compared byte by byte: %s, all the same)", many(int64(n), "file"))))
	return nil
}

func sameTree(a, b string) (files int, err error) {
	list := func(top string) (map[string][]byte, error) {
		m := map[string][]byte{}
		err := filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			rel, err := filepath.Rel(top, p)
			if err == nil {
				m[rel], err = os.ReadFile(p)
			}
			return err
		})
		return m, err
	}
	as, err := list(a)
	if err != nil {
		return 0, err
	}
	bs, err := list(b)
	if err != nil {
		return 0, err
	}
	for name, x := range as {
		if y, ok := bs[name]; !ok || !bytes.Equal(x, y) {
			return 0, fmt.Errorf("%s differs", name)
		}
	}
	if len(as) != len(bs) {
		return 0, fmt.Errorf("%d files in %s, %d in %s", len(as), a, len(bs), b)
	}
	return len(as), nil
}

// makeDemoData writes the dataset: three tables of 20,000 rows and 60 pictures; version 2 appends rows and adds a picture.
func makeDemoData(dir string, version int) error {
	for _, sub := range []string{"tables", "pictures"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o777); err != nil {
			return err
		}
	}
	for i, city := range []string{"kyoto", "lima", "oslo"} {
		rows := 20_000
		if version == 2 && city == "oslo" {
			rows += 500
		}
		if err := os.WriteFile(filepath.Join(dir, "tables", city+".csv"), demoTable(uint64(i), rows), 0o666); err != nil {
			return err
		}
	}
	for i := range 59 + version {
		b, err := demoPicture(i)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "pictures", fmt.Sprintf("%03d.png", i)), b, 0o666); err != nil {
			return err
		}
	}
	return nil
}

func demoTable(seed uint64, rows int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	var b bytes.Buffer
	b.WriteString("hour,temperature,wind,label\n")
	for i := range rows {
		t := 12 + 9*math.Sin(float64(i)/24/365*2*math.Pi) + 4*math.Sin(float64(i)/24*2*math.Pi) + r.NormFloat64()
		label := "mild"
		if t > 18 {
			label = "warm"
		} else if t < 6 {
			label = "cold"
		}
		fmt.Fprintf(&b, "%d,%.2f,%.1f,%s\n", i, t, math.Abs(r.NormFloat64())*4, label)
	}
	return b.Bytes()
}

// demoPicture draws an interference pattern, another one for each number.
func demoPicture(n int) ([]byte, error) {
	const side = 96
	img := image.NewGray(image.Rect(0, 0, side, side))
	r := rand.New(rand.NewPCG(uint64(n), 11))
	x0, y0, x1, y1, k := r.Float64()*side, r.Float64()*side, r.Float64()*side, r.Float64()*side, 0.2+r.Float64()
	for y := range side {
		for x := range side {
			d := math.Hypot(float64(x)-x0, float64(y)-y0) - math.Hypot(float64(x)-x1, float64(y)-y1)
			img.SetGray(x, y, color.Gray{Y: uint8(127 + 120*math.Sin(k*d))})
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}

// Text says how it went.
func (r *demoResult) Text(p *printer) {
	p.f("\nAll of it worked; %s compared at the end.", many(int64(r.Files), "file"))
	if r.Kept {
		p.f(" Look around in %s.", r.Dir)
	}
	p.f("\n")
}
