package cli

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tarn/index"
	"tarn/internal/check/report"
	"tarn/internal/dataset"
)

// progress draws one line on a terminal, redrawn five times a second, and on anything else prints a line every five seconds: a CI log stays short, and does not
// look dead. Libraries for bars print nothing without a terminal, so this is our own.
type progress struct {
	a     *app
	mu    sync.Mutex
	phase string
	files int64 // expected; negative: unknown
	bytes int64
	begun time.Time
	drawn bool
	stop  chan struct{}
	ended sync.WaitGroup

	doneFiles, doneBytes atomic.Int64
}

const (
	redraw = 200 * time.Millisecond
	spaced = 5 * time.Second
)

func (a *app) reporter() dataset.Reporter {
	a.progress = &progress{a: a}
	return a.progress
}

func (a *app) endProgress() {
	if a.progress != nil {
		a.progress.end()
	}
}

// silent: with --json, stderr has nothing but documents, unless somebody looks at it.
func (p *progress) silent() bool {
	return p.a.quiet || p.a.noProgress || (p.a.json || p.a.jsonl) && !p.a.ErrTTY
}

// Phase starts the next stretch.
func (p *progress) Phase(name string, files, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phase, p.files, p.bytes, p.begun = report.Clean(name), files, bytes, time.Now()
	p.doneFiles.Store(0)
	p.doneBytes.Store(0)
	if p.stop == nil && !p.silent() {
		stop := make(chan struct{})
		p.stop = stop
		p.ended.Go(func() { p.run(stop) })
	}
}

// Total puts the totals of the stretch right.
func (p *progress) Total(files, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files, p.bytes = files, bytes
}

// Add counts what is done.
func (p *progress) Add(files, bytes int64) {
	p.doneFiles.Add(files)
	p.doneBytes.Add(bytes)
}

// Warn prints a line without breaking the one that is drawn.
func (p *progress) Warn(path, message string) {
	if p.a.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if p.a.json || p.a.jsonl {
		p.a.talkJSON(warningDoc{"tarn.warning/1", jsonPath(path), message})
		return
	}
	fmt.Fprintf(p.a.Err, "%s %s: %s\n", p.a.paint(p.a.ErrTTY, yellow, "warning:"), index.Quote(path), clean(message))
}

type warningDoc struct {
	Schema  string   `json:"schema"`
	Path    jsonPath `json:"path"`
	Message string   `json:"message"`
}

func (p *progress) run(stop <-chan struct{}) {
	every := spaced
	if p.a.ErrTTY {
		every = redraw
	}
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-t.C:
			p.draw()
		}
	}
}

func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := p.line(time.Since(p.begun))
	if !p.a.ErrTTY {
		fmt.Fprintln(p.a.Err, line)
		return
	}
	if r := []rune(line); len(r) >= p.a.Width {
		line = string(r[:p.a.Width-1])
	}
	fmt.Fprintf(p.a.Err, "\r\x1b[K%s", line)
	p.drawn = true
}

// line is "add data: 1,234 of 10,000 files, 23 of 400 MiB, 120 MiB/s, 3 s left".
func (p *progress) line(since time.Duration) string {
	files, bytes := p.doneFiles.Load(), p.doneBytes.Load()
	parts := []string{}
	if p.files > 0 {
		parts = append(parts, count(files)+" of "+many(p.files, "file"))
	} else if files > 0 {
		parts = append(parts, many(files, "file"))
	}
	if p.bytes > 0 {
		parts = append(parts, size(bytes)+" of "+size(p.bytes))
	} else if bytes > 0 {
		parts = append(parts, size(bytes))
	}
	if s := since.Seconds(); s > 0.5 && bytes > 0 {
		parts = append(parts, size(int64(float64(bytes)/s))+"/s")
	}
	if left := p.left(since, files, bytes); left > 0 {
		parts = append(parts, seconds(left.Seconds())+" left")
	}
	if len(parts) == 0 {
		return p.phase + " …"
	}
	return p.phase + ": " + strings.Join(parts, ", ")
}

// left extrapolates from bytes, else from files.
func (p *progress) left(since time.Duration, files, bytes int64) time.Duration {
	done, all := bytes, p.bytes
	if all <= 0 {
		done, all = files, p.files
	}
	if done <= 0 || all <= done || since < time.Second {
		return 0
	}
	return time.Duration(float64(since) / float64(done) * float64(all-done)).Round(time.Second)
}

func (p *progress) clear() {
	if p.drawn {
		fmt.Fprint(p.a.Err, "\r\x1b[K")
		p.drawn = false
	}
}

func (p *progress) end() {
	p.mu.Lock()
	stop := p.stop
	p.stop = nil
	p.mu.Unlock()
	if stop != nil {
		close(stop)
		p.ended.Wait()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}
