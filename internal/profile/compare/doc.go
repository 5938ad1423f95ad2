// Package compare holds the columns of two versions against each other: from their profiles, or from their values where these are at hand. An effect size
// decides; p-values inform. It reads no files.
package compare
