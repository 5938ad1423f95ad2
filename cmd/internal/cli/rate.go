package cli

import (
	"errors"
	"strconv"

	"tarn/internal/config"
)

// byteRate is a flag: bytes a second, with k, m or g for powers of 1024; zero is no limit.
type byteRate int64

func (r *byteRate) Type() string { return "rate" }

func (r *byteRate) String() string {
	if *r == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*r), 10)
}

func (r *byteRate) Set(s string) error {
	n, err := config.ParseSize(s)
	if err != nil || n < 1 {
		return errors.New("must be bytes a second, as 500k, 10m or 1g")
	}
	*r = byteRate(n)
	return nil
}
