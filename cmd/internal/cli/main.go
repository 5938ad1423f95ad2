package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tarn/internal/config"
	"tarn/internal/dataset"
)

// Streams is what the process has around it.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	OutTTY   bool
	ErrTTY   bool
	Width    int // of the terminal, in columns
	Getenv   func(string) string
	Environ  []string
	Self     string // this executable
}

// Process is the streams of the running process.
func Process() Streams {
	s := Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Width: 80, Getenv: os.Getenv, Environ: os.Environ()}
	s.OutTTY, s.ErrTTY = term.IsTerminal(int(os.Stdout.Fd())), term.IsTerminal(int(os.Stderr.Fd()))
	if w, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && w > 20 {
		s.Width = w
	} else if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 20 {
		s.Width = n
	}
	s.Self, _ = os.Executable()
	return s
}

// app is one run: streams and global flags.
type app struct {
	Streams
	dir        string
	here       string // dir, absolute, once rel has asked
	quiet      bool
	json       bool
	jsonl      bool
	noProgress bool
	color      when
	jobs       int
	limitUp    byteRate
	limitDown  byteRate
	progress   *progress
	profile    profiling
	repo       *dataset.Repo
}

// memoryTarget makes the garbage collector work harder before the process gets larger than this, in bytes. What is live stays far below it.
const memoryTarget = 384 << 20

// Main runs tarn and returns the exit code.
func Main(ctx context.Context, args []string, s Streams) int {
	if s.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryTarget)
	}
	a := &app{Streams: s}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	if perr := a.profile.stop(); err == nil {
		err = perr
	}
	a.endProgress()
	if a.repo != nil {
		if cerr := a.repo.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil && ctx.Err() != nil {
		err = errInterrupted
	}
	a.reportError(err)
	return exitCode(err)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "tarn",
		Short:         "Version datasets beside code: a manifest in Git, the bytes in object storage",
		Long:          rootLong,
		Example:       "  tarn init\n  tarn add data\n  tarn remote add origin /mnt/shared/tarn\n  tarn push\n  tarn pull",
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,

		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return &dataset.Hinted{Err: fmt.Errorf("%w: there is no command %q", dataset.ErrUsage, args[0]), Hint: suggest(cmd, args[0])}
		},
		PersistentPreRunE: func(*cobra.Command, []string) error { return a.profile.start() },

		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := root.PersistentFlags()
	f.StringVarP(&a.dir, "chdir", "C", "", "run as if started in `DIR`")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "print errors only")
	f.BoolVar(&a.json, "json", false, "print one JSON document (docs/cli-json.md)")
	f.BoolVar(&a.jsonl, "jsonl", false, "print one JSON row a line")
	f.BoolVar(&a.noProgress, "no-progress", false, "no progress on stderr")
	a.profile.flags(root)
	a.color = colorAuto
	f.Var(&a.color, "color", "`WHEN` to color: auto, always, never")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, err) })
	root.MarkFlagsMutuallyExclusive("json", "jsonl")
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(a.helpCommand())
	root.AddGroup(&cobra.Group{ID: "data", Title: "Data:"}, &cobra.Group{ID: "remote", Title: "Remotes:"}, &cobra.Group{ID: "other", Title: "Other:"})
	root.AddCommand(
		a.initCommand(), a.addCommand(), a.rmCommand(), a.mvCommand(), a.statusCommand(), a.checkCommand(), a.profileCommand(), a.diffCommand(), a.driftCommand(), a.changedCommand(), a.logCommand(),
		a.lsCommand(), a.catCommand(), a.checkoutCommand(), a.restoreCommand(), a.unprotectCommand(), a.resolveCommand(), a.getCommand(),
		a.remoteCommand(), a.pushCommand(), a.fetchCommand(), a.pullCommand(), a.cacheCommand(), a.configCommand(), a.hooksCommand(),
		a.doctorCommand(), a.checkIgnoreCommand(), a.demoCommand(), a.gitDiffCommand(), a.gitTextconvCommand(), a.gitMergeCommand(),
		a.completionCommand(), a.manCommand(), a.versionCommand(),
	)
	a.complete(root)
	a.complete(root)
	return root
}

const rootLong = `tarn versions datasets beside code. A dataset is hashed into a manifest that Git
tracks (data.tarn beside data/); its bytes are pushed to and pulled from a
remote. It needs no server.`

func suggest(cmd *cobra.Command, arg string) string {
	if s := cmd.SuggestionsFor(arg); len(s) > 0 {
		return "tarn " + s[0]
	}
	return "tarn --help"
}

func usageError(cmd *cobra.Command, err error) error {
	return &dataset.Hinted{Err: fmt.Errorf("%w: %w", dataset.ErrUsage, err), Hint: cmd.CommandPath() + " --help"}
}

// open opens the repository that the user stands in.
func (a *app) open(ctx context.Context) (*dataset.Repo, error) {
	r, err := dataset.Open(ctx, a.options())
	if err != nil {
		return nil, err
	}
	a.repo = r
	return r, nil
}

func (a *app) options() dataset.Options {
	return dataset.Options{
		Dir:          a.dir,
		SystemConfig: firstOf(a.Getenv("TARN_CONFIG_SYSTEM"), config.SystemPath),
		UserConfig:   config.UserPath(a.Getenv("XDG_CONFIG_HOME"), a.Getenv("HOME")),
		Env:          a.Environ,
		Machine:      machineID(),
		Jobs:         a.jobs,
		LimitUp:      int64(a.limitUp),
		LimitDown:    int64(a.limitDown),
		Report:       a.reporter(),
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// machineID tells this machine's local paths from another one's.
func machineID() string {
	if b, err := os.ReadFile("/etc/machine-id"); err == nil && len(strings.TrimSpace(string(b))) > 0 {
		return strings.TrimSpace(string(b))
	}
	name, _ := os.Hostname()
	return name
}

// rel is a path from the root of the repository as the user would type it from where he stands.
func (a *app) rel(name string) string {
	if a.repo == nil {
		return name
	}
	if a.here == "" {
		dir, err := filepath.Abs(a.dir)
		if err != nil {
			return name
		}
		if a.here, err = filepath.EvalSymlinks(dir); err != nil {
			a.here = dir
		}
	}
	if r, err := filepath.Rel(a.here, filepath.Join(a.repo.Root(), filepath.FromSlash(name))); err == nil {
		return r
	}
	return name
}
