package cache

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"tarn/store/digest"
)

// A cache that several repositories share knows them, so that nobody deletes what another one needs: each is a file in repo/, named by 32 hexadecimal digits
// of the digest of its path, with the text `tarn 1 repository`, LF, the path, LF.
const (
	userDir  = "repo"
	userHead = "tarn 1 repository\n"
)

// User is a repository that registered itself.
type User struct {
	Path string // as given in Options.Repository
	File string // that says so, an absolute path
}

func (c *Cache) userFile(path string) string {
	return c.path(userDir, digest.Sum([]byte(path)).String()[:32])
}

// register notes that the repository uses the cache. One that can only read it need not be known: nobody else prunes a cache of which this is so.
func (c *Cache) register() error {
	if c.repository == "" {
		return nil
	}
	file := c.userFile(c.repository)
	if _, err := os.Lstat(file); err == nil {
		return nil
	}
	err := c.makeDir(c.path(userDir))
	if err == nil {
		err = c.disk.WriteFile(file, []byte(userHead+c.repository+"\n"), 0o666)
	}
	if err != nil && !isReadOnly(err) {
		return err
	}
	c.share(file, 0o664)
	return nil
}

// Users are the repositories that registered themselves, in no order.
func (c *Cache) Users() ([]User, error) {
	names, err := readNames(c.path(userDir))
	var users []User
	for _, name := range names {
		file := c.path(userDir, name)
		text, rerr := os.ReadFile(file)
		if errors.Is(rerr, fs.ErrNotExist) {
			continue
		}
		if rerr != nil {
			return nil, rerr
		}
		path, ok := strings.CutPrefix(string(text), userHead)
		if path = strings.TrimSuffix(path, "\n"); ok && c.userFile(path) == file {
			users = append(users, User{path, file})
		}
	}
	return users, err
}
