// Package profile has the profile of a table: what its columns hold, in kilobytes, so that versions can be compared without their bytes. A profile is a function
// of the bytes of a file; profiles of files merge into that of a table. It never says what should be in a table.
package profile
