package cli

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"tarn/store/chunk"
)

type versionResult struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Format   int    `json:"format"`
	Chunker  string `json:"chunker"`
}

func (a *app) versionCommand() *cobra.Command {
	return verb{
		use: "version", group: "other", args: cobra.NoArgs,
		short: "Print the version of tarn and of its formats", long: "Prints tarn's version, the commit it was built from, and the formats it writes.",
		example: "  tarn version --json",
	}.command(func(context.Context, []string) error { return a.show("version", buildVersion()) })
}

func buildVersion() *versionResult {
	v := &versionResult{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Format: 1, Chunker: chunk.ID}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// Text is one line.
func (v *versionResult) Text(p *printer) {
	p.f("tarn %s", v.Version)
	if v.Revision != "" {
		p.f(" (%.12s)", v.Revision)
	}
	p.f(", format %d, %s, %s\n", v.Format, v.Platform, v.Go)
}
