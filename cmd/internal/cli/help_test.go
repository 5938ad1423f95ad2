package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// TestHelp walks all commands: each says what it does, shows an example that it would accept, and lists its exit codes.
func TestHelp(t *testing.T) {
	a := &app{Streams: Streams{Getenv: func(string) string { return "" }}}
	seen := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			seen++
			checkHelp(t, sub)
			walk(sub)
		}
	}
	walk(a.rootCommand())
	if seen < 16 {
		t.Errorf("only %d commands", seen)
	}
}

func checkHelp(t *testing.T, c *cobra.Command) {
	name := c.CommandPath()
	if n := utf8.RuneCountInString(c.Short); n == 0 || n > 60 || strings.HasSuffix(c.Short, ".") {
		t.Errorf("%s: short description %q", name, c.Short)
	}
	if len(c.Long) <= len(c.Short) || strings.Contains(c.Long, "  \n") {
		t.Errorf("%s: long description %q", name, c.Long)
	}
	_, codes, ok := strings.Cut(c.Long, "\nExit codes:\n")
	for _, want := range []string{"  0  ", "  2  ", "  3  ", "130  "} {
		if !ok || !strings.Contains(codes, want) {
			t.Errorf("%s: its help lacks the exit code %q", name, want)
		}
	}
	for line := range strings.SplitSeq(c.Long+"\n"+c.UsageString(), "\n") {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("%s: a line of %d columns: %q", name, utf8.RuneCountInString(line), line)
		}
	}
	if !strings.HasPrefix(c.Example, "  ") || !strings.Contains(c.Example, name) {
		t.Errorf("%s: example %q", name, c.Example)
		return
	}
	for line := range strings.SplitSeq(c.Example, "\n") {
		checkExample(t, c, line)
	}
}

// checkExample parses an example as the command, or the one below it that is shown, would.
func checkExample(t *testing.T, c *cobra.Command, line string) {
	_, rest, ok := strings.Cut(line, c.CommandPath())
	if !ok {
		t.Errorf("%s: an example of something else: %q", c.CommandPath(), line)
		return
	}
	if end := strings.IndexAny(rest, "&>)"); end >= 0 {
		rest = rest[:end]
	}
	c, words, err := c.Find(strings.Fields(rest))
	if err == nil {
		err = c.ParseFlags(words)
	}
	if err == nil {
		err = c.ValidateArgs(c.Flags().Args())
	}
	if err != nil {
		t.Errorf("%s: example %q: %v", c.CommandPath(), line, err)
	}
}
