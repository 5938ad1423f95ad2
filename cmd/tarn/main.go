// Command tarn versions datasets beside code: a manifest in Git, the bytes in object storage.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"syscall"

	"tarn/cmd/internal/cli"
)

func main() {
	collectLater()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default is back, so that a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Process()))
}

// spare is how much garbage there may be beyond what Go's collector allows by itself, in bytes: a heap of a few MiB would be collected over and over.
const spare = 32 << 20

// collectLater has the heap collected when it is twice as large as what was in use after the last time, as always, and spare more.
func collectLater() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(100 * spare / (4 << 20)) // the first time it is so much of 4 MiB
	type sentinel [32]byte                      // of a size that the runtime does not put together with others
	var collected func(*sentinel)
	collected = func(s *sentinel) {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		if live[0].Value.Kind() == metrics.KindUint64 {
			debug.SetGCPercent(100 + int(100*spare/max(live[0].Value.Uint64(), 1<<20)))
		}
		runtime.SetFinalizer(s, collected) // for the next time
	}
	runtime.SetFinalizer(new(sentinel), collected)
}
