package cli

import (
	"errors"
	"os"
	"runtime/pprof"
	"runtime/trace"

	"github.com/spf13/cobra"
)

// profiling is what the hidden flags --cpuprofile and --trace ask for, to see on a user's machine where the time goes.
type profiling struct {
	cpu, trace string
	files      []*os.File
}

func (p *profiling) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&p.cpu, "cpuprofile", "", "write a CPU profile to `FILE`")
	f.StringVar(&p.trace, "trace", "", "write an execution trace to `FILE`")
	for _, name := range []string{"cpuprofile", "trace"} {
		f.Lookup(name).Hidden = true
	}
}

func (p *profiling) start() error {
	if p.cpu != "" {
		if err := p.to(p.cpu, func(f *os.File) error { return pprof.StartCPUProfile(f) }); err != nil {
			return err
		}
	}
	if p.trace != "" {
		return p.to(p.trace, func(f *os.File) error { return trace.Start(f) })
	}
	return nil
}

func (p *profiling) to(path string, start func(*os.File) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	p.files = append(p.files, f)
	return start(f)
}

func (p *profiling) stop() error {
	if len(p.files) == 0 {
		return nil
	}
	pprof.StopCPUProfile()
	trace.Stop()
	var err error
	for _, f := range p.files {
		err = errors.Join(err, f.Close())
	}
	return err
}
