package scan

import (
	"io/fs"
	"syscall"
)

func addSystem(st *Stat, info fs.FileInfo) {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.CTime, st.Inode, st.Dev = sys.Ctimespec.Nano(), sys.Ino, uint64(uint32(sys.Dev))
	}
}
