package credentials

// Error says why there are no keys. It never holds a secret.
type Error struct {
	Text      string
	Temporary bool // asking again may help
}

func (e *Error) Error() string { return e.Text }
