package scan

import (
	"math"

	"tarn/index"
	"tarn/store/digest"
)

// RacyWindow is how much older than the moment of hashing, in ns, a file's times must be for its stat data to be proof: the coarsest
// file system in use (FAT) counts in 2 s, so a change within that time may leave no trace.
const RacyWindow = 2e9

// Stamped stands in HashedAt for a file that tarn wrote and gave a modification time that no later write can leave (durable.RootFile.Stamp). Its times
// prove what they say at once, except where only whole seconds of them are compared.
const Stamped = math.MaxInt64

// Record is what the index knows of one path: what was in the workspace when it was last looked at, and the manifest entry that was
// last checked out or added there (the base). Either may be missing, not both: a Kind of 0 is "not there", a BaseKind of 0 "no base".
type Record struct {
	Path string // as in a manifest: that of a directory ends in "/"; "." for a dataset that is a file

	Kind       index.Kind
	Stat       Stat          // Dev is not kept
	Digest     digest.Digest // of the bytes at that Stat; of an index.File or index.Exec, else zero
	HashedAt   int64         // the file system's time when hashing began, ns since the epoch, see ProbeTime; 0: not to be trusted; or Stamped
	Hardlinked bool          // another name shares the inode, so the change time does not count

	BaseKind   index.Kind
	BaseDigest digest.Digest
	BaseSize   int64  // bytes
	BaseTarget string // of an index.Link
}

// A CheckStat says how much of Stat is compared.
type CheckStat string

// The values of index.checkStat; any other counts as CheckDefault.
const (
	CheckDefault CheckStat = "default"
	CheckMinimal CheckStat = "minimal" // size and modification time in whole seconds: for file systems and restored caches that keep no more
)

// Trust says what of a Stat the user's file system keeps reliably.
type Trust struct {
	CTime     bool // index.trustCtime
	CheckStat CheckStat
}

// Trusted says that the file's bytes are still those of r.Digest, as far as now, its Stat, can tell: nothing that a change would touch
// differs, and r's times are Stamped or at least RacyWindow older than HashedAt, so that a change since then must have touched them. All times are
// the file system's own. If it is false the bytes must be hashed again; that is no sign of a change yet.
func (r *Record) Trusted(now Stat, t Trust) bool {
	if r.Kind == 0 || now.Size != r.Stat.Size || !r.settled(r.Stat.MTime) {
		return false
	}
	if t.CheckStat == CheckMinimal {
		return r.HashedAt != Stamped && wholeSecond(now.MTime) == wholeSecond(r.Stat.MTime)
	}
	if now.MTime != r.Stat.MTime || now.Inode != r.Stat.Inode || (now.Mode^r.Stat.Mode)&modeType != 0 {
		return false
	}
	if r.Hardlinked || !t.CTime {
		return true
	}
	return now.CTime == r.Stat.CTime && r.settled(r.Stat.CTime)
}

// Renamed is the record of a file that was trusted right before it got another name, with its Stat after that: a rename changes the change time and nothing
// else. HashedAt becomes the earliest moment for which that change time is settled; an edit after the rename shows by its own times. Where more than the
// change time differs, the record stays as it was.
func (r Record) Renamed(now Stat) Record {
	if now.Size != r.Stat.Size || now.MTime != r.Stat.MTime || now.Inode != r.Stat.Inode || now.Mode != r.Stat.Mode {
		return r
	}
	r.Stat.CTime = now.CTime
	r.HashedAt = max(r.HashedAt, now.CTime+RacyWindow)
	return r
}

// settled says that ns was over, by the window, when hashing began.
func (r *Record) settled(ns int64) bool {
	return r.HashedAt > 0 && ns <= r.HashedAt-RacyWindow
}

// wholeSecond rounds down, also before the epoch.
func wholeSecond(ns int64) int64 {
	s := ns / 1e9
	if ns%1e9 < 0 {
		s--
	}
	return s
}
