//go:build unix

package s3test

import (
	"os/exec"
	"syscall"
)

// apart keeps signals for the group of the tests from who has to clean up after them.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
