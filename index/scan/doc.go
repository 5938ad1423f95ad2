// Package scan sees what is in the workspace: it walks a dataset's directory in the order of manifests, obeys the ignore
// rules, and keeps the workspace index, which remembers what files looked like when they were last hashed.
//
// It knows names, kinds and stat data. It must not know the bytes of files, caches, remotes or Git: it never reads a file
// of the user's other than .tarnignore, and digests pass through it as values.
package scan
