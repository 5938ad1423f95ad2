package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tarn/internal/dataset"
)

// settingFlags are the flags of an S3 remote; the result gives those that were set.
func settingFlags(cmd *cobra.Command) func() []dataset.RemoteSetting {
	f := cmd.Flags()
	values := map[string]*string{}
	var keys []string
	add := func(key, flag, usage string) {
		values[key] = f.String(flag, "", usage)
		keys = append(keys, key)
	}
	add("endpoint", "endpoint", "`URL` of the S3 server, where it is not Amazon's")
	add("region", "region", "region of the bucket")
	add("profile", "profile", "`NAME` of a profile of AWS's configuration")
	add("ca", "ca", "PEM `FILE` of certificates to trust")
	add("sse", "sse", "encrypt on the server: AES256 or aws:kms")
	add("kmsKey", "kms-key", "`ID` of the key for aws:kms")
	add("storageClass", "storage-class", "storage `CLASS` of packs")
	add("checksum", "checksum", "uploads carry: crc64nvme (default), md5, none")
	path := f.Bool("path-style", false, "address the bucket as https://host/bucket")
	virtual := f.Bool("virtual-style", false, "address the bucket as https://bucket.host")
	anonymous := f.Bool("anonymous", false, "don't sign requests: public buckets")
	unconditional := f.Bool("no-conditions", false, "the server has no conditional writes")
	cmd.MarkFlagsMutuallyExclusive("path-style", "virtual-style")
	cmd.MarkFlagsMutuallyExclusive("anonymous", "profile")
	return func() (out []dataset.RemoteSetting) {
		for _, key := range keys {
			if v := *values[key]; v != "" {
				out = append(out, dataset.RemoteSetting{Key: key, Value: v})
			}
		}
		switch {
		case *path:
			out = append(out, dataset.RemoteSetting{Key: "style", Value: "path"})
		case *virtual:
			out = append(out, dataset.RemoteSetting{Key: "style", Value: "virtual"})
		}
		if *unconditional {
			out = append(out, dataset.RemoteSetting{Key: "conditions", Value: "false"})
		}
		if *anonymous {
			out = append(out, dataset.RemoteSetting{Key: "anonymous", Value: "true"})
		}
		return out
	}
}

type remoteCheckResult struct {
	Remote   string        `json:"remote"`
	URL      string        `json:"url"`
	Complete bool          `json:"complete"`
	Checks   []remoteProbe `json:"checks"`
	Requests int64         `json:"requests"`
	Seconds  float64       `json:"seconds"`
}

type remoteProbe struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Detail  string `json:"detail"`
	Meaning string `json:"meaning,omitempty"`
}

func remoteCheckView(c *dataset.RemoteCheck) *remoteCheckResult {
	v := &remoteCheckResult{c.Remote, c.URL, c.Complete(), []remoteProbe{}, c.Requests, c.Seconds}
	for _, p := range c.Probes {
		v.Checks = append(v.Checks, remoteProbe{p.Name, string(p.State), p.Detail, p.Meaning})
	}
	return v
}

// Rows are the checks.
func (r *remoteCheckResult) Rows(yield func(any) bool) {
	for _, c := range r.Checks {
		if !yield(c) {
			return
		}
	}
}

// Text is a line a check, and one more where something is missing.
func (r *remoteCheckResult) Text(p *printer) {
	p.f("%s  %s\n", p.paint(bold, r.Remote), r.URL)
	width := 0
	for _, c := range r.Checks {
		width = max(width, len(c.Name))
	}
	for _, c := range r.Checks {
		color := green
		switch dataset.CheckState(c.State) {
		case dataset.CheckMissing:
			color = red
		case dataset.CheckSkipped:
			color = dim
		}
		p.f("  %s  %-*s  %s\n", p.paint(color, fmt.Sprintf("%-7s", c.State)), width, c.Name, c.Detail)
		if c.Meaning != "" {
			p.f("%s→ %s\n", strings.Repeat(" ", 13+width), c.Meaning)
		}
	}
	p.f("%s\n", p.paint(dim, many(r.Requests, "request")+" in "+seconds(r.Seconds)))
}

func (a *app) remoteCheckCommand() *cobra.Command {
	return verb{
		use: "check [NAME]", args: cobra.MaximumNArgs(1),
		short: "Try out what a remote can do",
		long: `Reads, lists, writes, replaces under conditions (also with several writers at
once) and deletes small objects of its own below check/, and says of each what
is missing and what follows from that. NAME is the default remote if it is not
given. Nothing else on the remote is touched.`,
		example: "  tarn remote check\n  tarn remote check backup --json",
		codes:   []int{exitIncomplete},
	}.command(func(ctx context.Context, args []string) error {
		r, err := a.open(ctx)
		if err != nil {
			return err
		}
		res, err := r.CheckRemote(ctx, strings.Join(args, ""))
		if res == nil {
			return err
		}
		if serr := a.show("remote-check", remoteCheckView(res)); err == nil {
			err = serr
		}
		return err
	})
}
