package scan

import (
	"context"
	"sync"
	"sync/atomic"
)

// How much may be held that the caller has not seen yet. Beyond it nothing is begun ahead of time; the walk itself goes on, as
// the goroutine that needs a task done does it, unless another one was faster. So there is no waiting in circles.
const (
	queueSize  = 256      // tasks
	maxHeld    = 24 << 20 // bytes of names and items
	maxFolders = 128      // directories open; a deeper tree is walked too, with one more for each level
	dirsAhead  = 16       // directories listed ahead, in each directory
	itemSize   = 200      // bytes that an item takes, about
	chunkSize  = 1024     // items that are described in one task
)

// A task is done once, by whoever claims it first.
type task struct {
	run     func()
	claimed atomic.Bool
	done    chan struct{}
}

func newTask(run func()) *task { return &task{run: run, done: make(chan struct{})} }

func (t *task) try() {
	if t.claimed.CompareAndSwap(false, true) {
		t.run()
		close(t.done)
	}
}

// A pool does tasks ahead of the goroutine that will need them.
type pool struct {
	ctx   context.Context
	queue chan *task
	wg    sync.WaitGroup
	once  sync.Once
	held  atomic.Int64 // bytes of names and items
	open  atomic.Int64 // directories
}

// newPool starts workers-1 goroutines; the one that waits is the last worker.
func newPool(ctx context.Context, workers int) *pool {
	p := &pool{ctx: ctx, queue: make(chan *task, queueSize)}
	for range workers - 1 {
		p.wg.Go(func() {
			for t := range p.queue {
				p.begin(t)
			}
		})
	}
	return p
}

// offer has t done ahead of time, if there is room.
func (p *pool) offer(t *task) {
	select {
	case p.queue <- t:
	default:
	}
}

// begin does t ahead of time, unless too much is held by now; then it is left to the one that needs it.
func (p *pool) begin(t *task) {
	if p.held.Load() < maxHeld && p.open.Load() < maxFolders && p.ctx.Err() == nil {
		t.try()
	}
}

// wait returns when t is done. If another goroutine has it, this one does other tasks meanwhile.
func (p *pool) wait(t *task) {
	t.try()
	for {
		select {
		case <-t.done:
			return
		default:
		}
		select {
		case <-t.done:
			return
		case other := <-p.queue:
			p.begin(other)
		}
	}
}

// close ends the goroutines. Tasks that nobody began are dropped; those that were begun are done afterwards.
func (p *pool) close() {
	p.once.Do(func() {
		close(p.queue)
		for range p.queue { // what is left need not be done
		}
		p.wg.Wait()
	})
}
