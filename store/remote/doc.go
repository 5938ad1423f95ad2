// Package remote is the layout of a remote over a bucket: the objects that tarn keeps there, their exact bytes, and the order in which they
// become visible (docs/format.md section 3, docs/protocol.md). It knows digests and locations; it does not know paths, Git, the cache,
// or what kind of bucket it has.
package remote
