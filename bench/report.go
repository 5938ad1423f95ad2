package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// report prints what was found, and writes it to a section of the file out: one for a warm cache, one for a cold one.
func (b *bench) report(rows []row, out string) error {
	var s strings.Builder
	state := "warm"
	if b.cold {
		state = "cold"
	}
	heading := strings.ToUpper(state[:1]) + state[1:] + " cache"
	if b.network {
		heading = "S3 on loopback, " + state + " cache"
	}
	fmt.Fprintf(&s, "## %s\n\n", heading)
	fmt.Fprintf(&s, "%s, commit %s. %s, %d cores, %s/%s; scale %g, %d rounds, the contestants by turns. Medians of the wall time and their range; a ratio\nbelow 1 says that tarn took less.\n\n",
		time.Now().UTC().Format("2006-01-02"), b.commit(), machine(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, b.scale, b.runs)
	s.WriteString("| work | tarn, s | peak MiB | compared with | ratio | at most | |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for i := range rows {
		rows[i].write(&s)
	}
	fmt.Print(s.String())
	return replaceSection(out, s.String())
}

func (r *row) write(s *strings.Builder) {
	mid, low, high, _ := r.median("tarn")
	head := fmt.Sprintf("| %s | %s (%s–%s) | %d ", r.title, secs(mid), secs(low), secs(high), r.peak("tarn")>>20)
	if r.seconds > 0 {
		fmt.Fprintf(s, "%s| | | %g s | %s |\n", head, r.seconds, verdict(mid.Seconds() <= r.seconds))
		head = "| | | "
	}
	if r.share != "" {
		fmt.Fprintf(s, "%s| bytes sent, of those of the file | %.2f %% | %.3g %% | %s |\n", head, 100*r.shares, 100*r.most, verdict(r.shares <= r.most))
		head = "| | | "
	}
	if len(r.contestants) == 1 && r.seconds == 0 {
		fmt.Fprintf(s, "%s| | | | |\n", head)
	}
	for _, c := range r.contestants[1:] {
		peer, plow, phigh, ok := r.median(c.name)
		if !ok {
			continue
		}
		ratio := mid.Seconds() / peer.Seconds()
		bound, result := "", ""
		for _, t := range r.targets {
			if t.peer == c.name && t.more > 0 {
				bound, result = "+ "+t.more.String(), verdict(mid <= peer+t.more)
			} else if t.peer == c.name {
				bound, result = fmt.Sprintf("%.3g", t.most), verdict(ratio <= t.most)
			}
		}
		fmt.Fprintf(s, "%s| `%s`: %s s (%s–%s) | %.3g | %s | %s |\n", head, c.name, secs(peer), secs(plow), secs(phigh), ratio, bound, result)
		head = "| | | "
	}
}

func secs(d time.Duration) string { return fmt.Sprintf("%.3g", d.Seconds()) }

func verdict(ok bool) string {
	if ok {
		return "reached"
	}
	return "**missed**"
}

func (b *bench) commit() string {
	out, err := exec.CommandContext(b.ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

const title = "# Results\n\nMade by `bench/run`; [README.md](README.md) says how.\n"

// replaceSection puts a section in the place of the one with its heading, or at the end.
func replaceSection(path, section string) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	const mark = "\n## "
	heading, _, _ := strings.Cut(section, "\n")
	out, done := title, false
	for _, s := range strings.Split(string(old), mark)[1:] {
		s = "## " + strings.TrimRight(s, "\n") + "\n"
		if strings.HasPrefix(s, heading+"\n") {
			s, done = section, true
		}
		out += "\n" + s
	}
	if !done {
		out += "\n" + section
	}
	return os.WriteFile(path, []byte(out), 0o666)
}
