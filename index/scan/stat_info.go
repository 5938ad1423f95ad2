package scan

import "io/fs"

// infoStat is the Stat of what package os describes.
func infoStat(info fs.FileInfo) Stat {
	st := Stat{Size: info.Size(), MTime: info.ModTime().UnixNano(), Mode: posixMode(info.Mode())}
	addSystem(&st, info)
	return st
}

func posixMode(m fs.FileMode) uint32 {
	bits := uint32(m.Perm())
	switch m.Type() {
	case 0:
		return bits | modeFile
	case fs.ModeDir:
		return bits | modeDir
	case fs.ModeSymlink:
		return bits | modeLink
	case fs.ModeNamedPipe:
		return bits | modeFifo
	case fs.ModeSocket:
		return bits | modeSocket
	case fs.ModeDevice:
		return bits | modeBlock
	case fs.ModeDevice | fs.ModeCharDevice:
		return bits | modeChar
	}
	return bits // no type: a kind that only that system has
}

// StatOf is the Stat of what info describes.
func StatOf(info fs.FileInfo) Stat { return infoStat(info) }
