package scan

// Stat is what a file system says about a file without opening it.
type Stat struct {
	Size  int64  // bytes
	MTime int64  // when the content changed, ns since the epoch
	CTime int64  // when anything changed, ns since the epoch; 0 where the system has no such time (Windows)
	Inode uint64 // 0 on Windows
	Dev   uint64 // of the file system; means nothing after a reboot, so the index does not keep it
	Mode  uint32 // st_mode as on Linux, on every system: type and permission bits
}

// The types in Stat.Mode.
const (
	modeType   = 0o170000
	modeFifo   = 0o010000
	modeChar   = 0o020000
	modeDir    = 0o040000
	modeBlock  = 0o060000
	modeFile   = 0o100000
	modeLink   = 0o120000
	modeSocket = 0o140000
	modeExec   = 0o111
)

func (s *Stat) isDir() bool  { return s.Mode&modeType == modeDir }
func (s *Stat) isFile() bool { return s.Mode&modeType == modeFile }
func (s *Stat) isLink() bool { return s.Mode&modeType == modeLink }

// oddKind names what can't be versioned.
func (s *Stat) oddKind() string {
	switch s.Mode & modeType {
	case modeFifo:
		return "a named pipe"
	case modeChar, modeBlock:
		return "a device"
	case modeSocket:
		return "a socket"
	}
	return "neither a file, nor a directory, nor a symlink"
}
