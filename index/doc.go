// Package index is the names of a dataset: entries, the manifest that Git tracks, the pages of a large one, and what differs
// between two versions (docs/format.md, section 1).
//
// It knows paths, kinds and digests, and reads pages through a Source that somebody else verifies. It must not know bytes of
// files, where pages live, the workspace, Git, or who calls.
package index
