package scan

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

func addSystem(st *Stat, info fs.FileInfo) {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		st.CTime, st.Inode, st.Dev, st.Mode = sys.Ctim.Nano(), sys.Ino, uint64(sys.Dev), sys.Mode
	}
}

func unixStat(sys *unix.Stat_t) Stat {
	return Stat{Size: sys.Size, MTime: sys.Mtim.Nano(), CTime: sys.Ctim.Nano(), Inode: sys.Ino, Dev: uint64(sys.Dev), Mode: sys.Mode}
}
