// Package durable is the only way in which tarn changes local files. It knows temp files, fsync, rename, locks, reflinks and roots
// that no name escapes; it must not know what the files hold.
//
// The promise: a name that is visible is whole. Temp file, write, fsync, close checked, rename, fsync of the directory. What a crash
// leaves behind beside that has a name that IsTemp recognises.
package durable
