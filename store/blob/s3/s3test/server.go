package s3test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// Kind is a server program.
type Kind struct {
	module string // directory below testdata with the go.mod that pins it
	tool   string
	health string // path that answers 200 once it is ready
	args   func(addr, data string) []string
	env    func(access, secret string) []string
}

// The servers.
var (
	Versity = Kind{
		module: "s3server", tool: "versitygw", health: "/tarn-health",
		args: func(addr, data string) []string {
			// Keep-alive is off unless asked for. Metadata is in extended attributes: with --sidecar two writers with If-Match can both win.
			return []string{"--port", addr, "--keep-alive", "--quiet", "--health", "/tarn-health", "posix", data}
		},
		env: func(access, secret string) []string {
			return []string{"ROOT_ACCESS_KEY_ID=" + access, "ROOT_SECRET_ACCESS_KEY=" + secret}
		},
	}
	MinIO = Kind{
		module: "minioserver", tool: "minio", health: "/minio/health/ready",
		args: func(addr, data string) []string {
			return []string{"server", "--quiet", "--address", addr, data}
		},
		env: func(access, secret string) []string {
			return []string{"MINIO_ROOT_USER=" + access, "MINIO_ROOT_PASSWORD=" + secret, "MINIO_BROWSER=off", "MINIO_UPDATE=off", "CI=true"}
		},
	}
)

// Region is that of all servers.
const Region = "us-east-1"

// Server is one that runs. Its buckets are the directories below Data that were made with MakeBucket.
type Server struct {
	URL       string // of the proxy
	Direct    string // URL of the server itself
	Data      string
	AccessKey string
	SecretKey string
	Proxy     *Proxy

	top    string
	addr   string
	cmd    *exec.Cmd
	alive  io.Closer
	output lockedBuffer
	exited chan struct{}
}

// Run starts a server for the time of a test. It fails the test where the server can't be built.
func Run(t testing.TB, k Kind) *Server {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the S3 servers for tests don't run on Windows")
	}
	s, err := Start(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start builds the server, if that was not done before, and returns once it answers.
func Start(ctx context.Context, k Kind) (*Server, error) {
	bin, err := build(ctx, k)
	if err != nil {
		return nil, err
	}
	for range 5 { // the port may have been taken meanwhile
		s, serr := start(ctx, k, bin)
		if serr == nil {
			return s, nil
		}
		err = serr
	}
	return nil, err
}

var built sync.Map // module to path of the program

// build returns the path of the program; Go keeps it in its build cache. One process at a time builds, since each would compile the same packages.
func build(ctx context.Context, k Kind) (string, error) {
	if p, ok := built.Load(k.module); ok {
		return p.(string), nil
	}
	dir, err := moduleDir(k.module)
	if err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(os.TempDir(), fmt.Sprintf("tarn-build-%s-%d.lock", k.module, os.Getuid())))
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return "", fmt.Errorf("wait for another build of %s: %w", k.tool, err)
	}
	defer lock.Unlock()
	cmd := exec.CommandContext(ctx, "go", "tool", "-modfile="+filepath.Join(dir, "go.mod"), "-n", k.tool)
	cmd.Dir = dir
	// Without the flags of the test run (-race, -mod): the server is what it is.
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	path := strings.TrimSpace(string(out))
	if err == nil && path == "" {
		err = errors.New("go tool printed no path")
	}
	if err != nil {
		return "", fmt.Errorf("build the S3 server that these tests need (%s, pinned in testdata/%s/go.mod; it comes from the Go module proxy): %w\n%s", k.tool, k.module, err, stderr.Bytes())
	}
	built.Store(k.module, path)
	return path, nil
}

// moduleDir finds testdata/NAME above this file's package.
func moduleDir(name string) (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		p := filepath.Join(dir, "testdata", name)
		if _, serr := os.Stat(filepath.Join(p, "go.mod")); serr == nil {
			return p, nil
		}
		if filepath.Dir(dir) == dir {
			err = fmt.Errorf("there is no testdata/%s above the working directory", name)
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

func start(ctx context.Context, k Kind, bin string) (_ *Server, err error) {
	top, err := os.MkdirTemp("", "tarn-s3-")
	if err != nil {
		return nil, err
	}
	s := &Server{top: top, Data: filepath.Join(top, "data"), AccessKey: "tarn" + rand.Text()[:12], SecretKey: rand.Text() + "/+" + rand.Text()[:8], exited: make(chan struct{})}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := os.Mkdir(s.Data, 0o777); err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	s.Direct, s.addr = "http://"+addr, addr
	s.cmd = exec.Command("sh", append([]string{"-c", watched, bin}, k.args(addr, s.Data)...)...)
	s.cmd.Env = append([]string{"TARN_S3_TOP=" + top, "HOME=" + top, "TMPDIR=" + top, "PATH=" + os.Getenv("PATH")}, k.env(s.AccessKey, s.SecretKey)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	apart(s.cmd)
	if s.alive, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", k.tool, err)
	}
	go func() {
		s.cmd.Wait()
		close(s.exited)
	}()
	if err := s.ready(ctx, k); err != nil {
		return nil, err
	}
	if s.Proxy, err = s.NewProxy(); err != nil {
		return nil, err
	}
	s.URL = s.Proxy.URL
	return s, nil
}

// watched runs a program until standard input ends, as it does when the tests die, and then removes what it wrote.
const watched = `exec 3<&0; "$0" "$@" & p=$!; (cat <&3; kill -9 $p; rm -rf "$TARN_S3_TOP") >/dev/null 2>&1 & wait $p`

// NewProxy is another way to the server, with counts of its own.
func (s *Server) NewProxy() (*Proxy, error) { return newProxy(s.addr) }

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (s *Server) ready(ctx context.Context, k Kind) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Direct+k.health, nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%s ended at once: %s", k.tool, s.Output())
		case <-ctx.Done():
			return fmt.Errorf("%s does not get ready: %w: %s", k.tool, ctx.Err(), s.Output())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// MakeBucket makes an empty bucket.
func (s *Server) MakeBucket(name string) error { return os.Mkdir(filepath.Join(s.Data, name), 0o777) }

// Output is what the server has printed.
func (s *Server) Output() string { return s.output.String() }

// Env is the environment that gives a client the server's keys, and keeps it from looking elsewhere.
func (s *Server) Env() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + s.AccessKey, "AWS_SECRET_ACCESS_KEY=" + s.SecretKey, "AWS_EC2_METADATA_DISABLED=true"}
}

// Close ends the server and removes its data.
func (s *Server) Close() {
	if s.Proxy != nil {
		s.Proxy.Close()
	}
	if s.cmd != nil && s.cmd.Process != nil {
		s.alive.Close()
		<-s.exited
	}
	os.RemoveAll(s.top)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
