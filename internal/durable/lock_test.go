package durable

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const lockEnv = "TARN_TEST_LOCK"

// TestLockHolder is the other process of TestLockAcrossProcesses.
func TestLockHolder(t *testing.T) {
	path := os.Getenv(lockEnv)
	if path == "" {
		t.Skip("runs as a child only")
	}
	var d *Disk
	_, err := d.Lock(context.Background(), path, false)
	must(t, err)
	fmt.Println("locked")
	_, _ = io.ReadAll(os.Stdin) // until we are killed
}

func TestLockAcrossProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	child := exec.Command(os.Args[0], "-test.run=^TestLockHolder$")
	child.Env = append(os.Environ(), lockEnv+"="+path)
	in, err := child.StdinPipe()
	must(t, err)
	defer in.Close()
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "locked\n" {
		t.Fatalf("child says %q, %v", line, err)
	}
	var d *Disk
	if l, err := d.TryLock(path, true); l != nil || err != nil {
		t.Errorf("while another process holds it: %v, %v", l, err)
	}
	must(t, child.Process.Kill())
	_ = child.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	l, err := d.Lock(ctx, path, false)
	must(t, err) // the lock ends with its process
	must(t, l.Unlock())
}
