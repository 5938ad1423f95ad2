//go:build !linux && !darwin

package scan

import "io/fs"

// addSystem has nothing to add: no change time, no inode.
func addSystem(*Stat, fs.FileInfo) {}
