package dataset

import (
	"context"
	"iter"
	"sync"
)

// batch is a run of items that one worker does; small items share one, so that handing them on costs little.
type batch[T any] struct {
	items []T
	done  chan struct{}
}

const (
	batchItems  = 64
	batchWeight = 1 << 20

	// Of items that belong together.
	togetherItems  = 1024
	togetherWeight = 8 << 20
)

// inOrder does work on items by n workers and gives them to then in their order, from this goroutine. weight says how many bytes an item's
// work is about; items of large weight are spread over the workers. The first error of items or then ends it. At most 4·n batches are in memory.
func inOrder[T any](ctx context.Context, n int, items iter.Seq2[T, error], weight func(*T) int64, work func(context.Context, *T), then func(*T) error) error {
	return inOrderTogether(ctx, n, items, weight, func(_, _ *T) bool { return false }, work, then)
}

// inOrderTogether is inOrder that leaves neighbours to one worker where together says so: where they would only wait for each other.
func inOrderTogether[T any](ctx context.Context, n int, items iter.Seq2[T, error], weight func(*T) int64, together func(a, b *T) bool,
	work func(context.Context, *T), then func(*T) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	todo, order := make(chan *batch[T], 4*n), make(chan *batch[T], 4*n)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range n {
		wg.Go(func() { runBatches(ctx, todo, work) })
	}
	var feedErr error
	wg.Go(func() {
		defer close(order)
		defer close(todo)
		feedErr = feed(ctx, items, weight, together, todo, order)
	})
	for b := range order {
		<-b.done
		for i := range b.items {
			if err := then(&b.items[i]); err != nil {
				return err
			}
		}
	}
	return feedErr
}

func runBatches[T any](ctx context.Context, todo <-chan *batch[T], work func(context.Context, *T)) {
	for b := range todo {
		for i := range b.items {
			work(ctx, &b.items[i])
		}
		close(b.done)
	}
}

func feed[T any](ctx context.Context, items iter.Seq2[T, error], weight func(*T) int64, together func(a, b *T) bool, todo, order chan<- *batch[T]) error {
	b, sum := &batch[T]{done: make(chan struct{})}, int64(0)
	send := func() error {
		for _, c := range []chan<- *batch[T]{todo, order} {
			select {
			case c <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		b, sum = &batch[T]{done: make(chan struct{})}, 0
		return nil
	}
	for item, err := range items {
		if err != nil {
			return err
		}
		n := len(b.items)
		full := n >= batchItems || sum >= batchWeight
		if full && (n >= togetherItems || sum >= togetherWeight || !together(&b.items[n-1], &item)) {
			if err := send(); err != nil {
				return err
			}
		}
		b.items, sum = append(b.items, item), sum+weight(&item)
	}
	if len(b.items) == 0 {
		return ctx.Err()
	}
	return send()
}
