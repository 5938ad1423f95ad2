package dataset

// Reporter hears of progress and of warnings. Its methods are called from many goroutines.
type Reporter interface {
	// Phase starts the next stretch of work: "hash", "push", …; totals are negative where unknown (files, bytes).
	Phase(name string, files, bytes int64)
	// Total says anew what the totals of the phase are; what was done stays.
	Total(files, bytes int64)
	// Add says that so many more files and bytes of the phase are done.
	Add(files, bytes int64)
	// Warn says something that the user should know and that is no failure.
	Warn(path, message string)
}

// Silent is a Reporter that says nothing.
type Silent struct{}

func (Silent) Phase(string, int64, int64) {}
func (Silent) Total(int64, int64)         {}
func (Silent) Add(int64, int64)           {}
func (Silent) Warn(string, string)        {}
