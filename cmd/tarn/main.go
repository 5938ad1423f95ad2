// Command tarn versions datasets beside code: a manifest in Git, the bytes in object storage.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"tarn/cmd/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default is back, so that a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], cli.Process()))
}
