package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// unignoreInGit takes the dataset's line out of the .gitignore beside it, and says which file that is; "" where there was no such line. A file in which
// nothing else stands goes.
func (r *Repo) unignoreInGit(dataset string) (file string, err error) {
	file, line := ignoreLine(dataset)
	old, err := os.ReadFile(r.abs(file))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var rest []byte
	for l := range strings.Lines(string(old)) {
		if strings.TrimRight(l, "\r\n") != line {
			rest = append(rest, l...)
		}
	}
	switch {
	case len(rest) == len(old):
		return "", nil
	case len(rest) == 0:
		err = r.removeDurably(r.abs(file))
	default:
		err = r.disk.WriteFile(r.abs(file), rest, 0o666)
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", file, err)
	}
	return file, nil
}

// ignoreLine is the line that makes Git ignore a dataset, and the file that it stands in.
func ignoreLine(dataset string) (file, line string) {
	return path.Join(path.Dir(dataset), ".gitignore"), "/" + escapeIgnore(path.Base(dataset))
}
