// Package vcs is what tarn knows of Git: where the repository is, which manifests it tracks, and what they were in other commits. It is the only package
// that runs git. It reads, and writes nothing but a clone's configuration; it never stages, commits or moves a ref of the user's. Clone makes repositories
// that are nobody's.
package vcs
