package scan

import (
	"fmt"

	"tarn/internal/durable"
)

// ProbeTime is the time, in ns since the epoch, by the clock of the file system that holds the directory dir of root ("." is root):
// that of a server, for a network file system. It makes a temp file there, looks at its modification time and removes it.
func ProbeTime(root *durable.Root, dir string) (int64, error) {
	f, err := root.CreateTemp(dir)
	if err != nil {
		return 0, fmt.Errorf("ask the file system's time: %w", err)
	}
	defer f.Abort()
	if _, err := f.Write([]byte{'\n'}); err != nil {
		return 0, fmt.Errorf("ask the file system's time: %w", err)
	}
	info, err := f.OS().Stat()
	if err != nil {
		return 0, fmt.Errorf("ask the file system's time: %w", err)
	}
	return info.ModTime().UnixNano(), nil
}
