package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// opens says which files below dir somebody opens while do runs.
func opens(t *testing.T, dir string, do func()) []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Skip("no inotify: ", err)
	}
	defer unix.Close(fd)
	dirs := map[int32]string{}
	must(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		w, err := unix.InotifyAddWatch(fd, p, unix.IN_OPEN)
		rel, _ := filepath.Rel(dir, p)
		dirs[int32(w)] = rel
		return err
	}))
	do()
	seen := map[string]bool{}
	buf := make([]byte, 1<<20)
	for {
		n, err := unix.Read(fd, buf)
		if errors.Is(err, unix.EAGAIN) {
			return slices.Sorted(maps.Keys(seen))
		}
		must(t, err)
		for b := buf[:n]; len(b) > 0; { // struct inotify_event
			mask, size := binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[12:])
			if mask&unix.IN_Q_OVERFLOW != 0 {
				t.Fatal("too many events")
			}
			name, _, _ := bytes.Cut(b[16:16+size], []byte{0})
			if mask&unix.IN_ISDIR == 0 {
				seen[filepath.Join(dirs[int32(binary.NativeEndian.Uint32(b))], string(name))] = true
			}
			b = b[16+size:]
		}
	}
}

// TestOpensWhatChanged: add opens the files that changed and no others, and status none, with the cache and past it.
func TestOpensWhatChanged(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	for name, keep := range map[string]Keeping{"cached": KeepInCache, "direct": KeepNot} {
		top := s.path(name)
		repo := filepath.Join(top, "repo")
		s.repo(repo)
		tr := tree{}
		for i := range 1000 {
			tr[fmt.Sprintf("d%d/f%03d", i%10, i)] = "f" + strings.Repeat(fmt.Sprint(i), 100)
		}
		tr["large"], tr["link"] = "f"+randomBytes(1, 2<<20), "llarge"
		data := filepath.Join(repo, "data")
		tr.write(t, data)
		if files := opens(t, data, func() { readTree(t, data) }); len(files) != 1001 {
			t.Fatalf("reading the whole tree opens %d files", len(files)) // that the watch works
		}
		time.Sleep(2100 * time.Millisecond) // a file that is younger is hashed again
		s.do(repo, func(r *Repo) error {
			_, err := r.Add(bg, AddOptions{Paths: []string{"data"}, Keep: keep})
			return err
		})
		var changed []string
		for i := 7; i < 1000; i += 100 { // 1 %
			p := fmt.Sprintf("d%d/f%03d", i%10, i)
			tr[p] = "f" + strings.Repeat(fmt.Sprint(i+1), 100)
			writeEntry(t, filepath.Join(data, p), tr[p])
			changed = append(changed, p)
		}
		time.Sleep(2100 * time.Millisecond)
		for _, c := range []struct {
			verb string
			do   func(r *Repo) error
			want []string
		}{{"add", add("data"), changed}, {"add again", add("data"), nil}, {"status", statusOf, nil}, {"pull", pullAll, nil}, {"checkout", checkoutAll(false), nil}} {
			if c.verb == "pull" {
				s.do(repo, pushAll)
			}
			got := opens(t, data, func() { s.do(repo, c.do) })
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: opens %v, not %v", name, c.verb, got, c.want)
			}
		}
		must(t, os.Chtimes(filepath.Join(data, changed[0]), time.Time{}, time.Now().Add(-time.Hour)))
		if got := opens(t, data, func() { s.do(repo, statusOf) }); !slices.Equal(got, changed[:1]) {
			t.Errorf("%s: status opens %v of what was touched", name, got)
		}
	}
}

// TestFirstStatus: what tarn just wrote is known without reading it, however young it is; and an edit right after it is seen.
func TestFirstStatus(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"copy", "hardlink", "none"} {
		s := newScratch(t)
		repo := s.path("repo")
		s.repo(repo)
		must(t, os.MkdirAll(filepath.Join(repo, ".git/tarn"), 0o777))
		s.git(repo, "config", "-f", ".git/tarn/config", "cache.link", strings.Replace(link, "none", "copy", 1))
		data := filepath.Join(repo, "data")
		tr := tree{"exec": "x" + randomBytes(2, 200<<10), "link": "llarge", "large": "f" + randomBytes(1, 200<<10)}
		for i := range 100 {
			tr[fmt.Sprintf("d%d/f%02d", i%10, i)] = "f" + randomBytes(uint64(i), 100)
		}
		tr.write(t, data)
		s.do(repo, add("data"))
		s.commit(repo, "data")
		s.do(repo, pushAll)
		if link == "none" {
			s.git(repo, "config", "-f", ".git/tarn/config", "dataset.data.cache", "false")
		}
		must(t, os.RemoveAll(data))
		time.Sleep(2100 * time.Millisecond) // the objects of the cache, to which files may be linked, are not that young
		if link == "none" {
			must(t, os.RemoveAll(filepath.Join(repo, ".git/tarn/cache")))
			s.do(repo, pullAll)
		} else {
			s.do(repo, checkoutAll(true))
		}
		if got := opens(t, data, func() { s.do(repo, statusOf) }); len(got) > 0 {
			t.Errorf("%s: status opens %v", link, got)
		}
		edited := "d3/f13"
		writeEntry(t, filepath.Join(data, edited), "f"+randomBytes(99, 100))
		s.do(repo, func(r *Repo) error {
			res, err := r.Status(bg, StatusOptions{})
			if err == nil && (len(res.Datasets) != 1 || len(res.Datasets[0].Work) != 1 || res.Datasets[0].Work[0].Path != edited) {
				t.Errorf("%s: status says %+v", link, res.Datasets)
			}
			return err
		})
		s.do(repo, func(r *Repo) error {
			_, err := r.Pull(bg, FetchOptions{}, CheckoutOptions{Force: true})
			return err
		})
		if got := opens(t, data, func() { s.do(repo, statusOf) }); len(got) > 0 {
			t.Errorf("%s: after an edit was undone status opens %v", link, got)
		}
	}
}

func statusOf(r *Repo) error {
	_, err := r.Status(bg, StatusOptions{})
	return err
}
