// Command tarn versions datasets beside code: a manifest in Git, the bytes in object storage.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"tarn/cmd/internal/cli"
)

// A heap of a few MiB is collected over and over. Bytes that are never touched take no memory, and put the first collection off until so many are in use; what a
// large heap takes is not changed by that.
const ballast = 32 << 20

func main() {
	unused := make([]byte, ballast)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default is back, so that a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	code := cli.Main(ctx, os.Args[1:], cli.Process())
	runtime.KeepAlive(unused)
	os.Exit(code)
}
