package credentials

import (
	"context"
	"time"
)

// Keys sign requests.
type Keys struct {
	ID      string
	Secret  string
	Token   string    // of a session; may be empty
	Expires time.Time // zero: never
	From    string    // where they were found, for messages
}

// String says where the keys are from, and does not show them.
func (k Keys) String() string { return "keys from " + k.From }

// GoString is String: %#v does not show secrets either.
func (k Keys) GoString() string { return k.String() }

// Source gives keys; each call gets them anew. Safe for concurrent use.
type Source interface {
	Keys(ctx context.Context) (Keys, error)
}

// Static is keys that are known.
type Static Keys

// Keys implements Source.
func (s Static) Keys(context.Context) (Keys, error) { return Keys(s), nil }
