package cli

import (
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestCIDocument holds docs/ci.md to what there is: inputs, outputs, jobs, hooks, verbs and flags.
func TestCIDocument(t *testing.T) {
	s := newShell(t)
	var a action
	readYAML(t, "action.yml", &a)
	var hooks []struct{ ID, Entry string }
	readYAML(t, ".pre-commit-hooks.yaml", &hooks)
	g := readGitLab(t, readText(t, "ci/gitlab.yml"))
	known, documented := map[string]bool{"actions/checkout@v4": true, "OWNER/tarn@VERSION": true}, map[string]bool{}
	for _, h := range hooks {
		known[h.ID] = true
		if checkCalls(t, h.ID, h.Entry) != 1 {
			t.Errorf("hook %s is no call of tarn", h.ID)
		}
	}
	for name := range g.jobs {
		known[name] = true
	}
	for name := range g.variables {
		known[name] = true
	}
	text := readText(t, "docs/ci.md")
	for _, m := range regexp.MustCompile("(?m)`([a-z]+(?:-[a-z]+)*)`").FindAllStringSubmatch(section(text, "| input | |", "- A checkout"), -1) {
		documented[m[1]] = true
	}
	for name := range a.Inputs {
		if !documented[name] {
			t.Errorf("input %s is not in docs/ci.md", name)
		}
	}
	for name := range a.Outputs {
		if !documented[name] {
			t.Errorf("output %s is not in docs/ci.md", name)
		}
	}
	texts := append(fenced(text, "yaml"), readText(t, "testdata/example/github.yml"), readText(t, "testdata/example/gitlab.yml"))
	texts = append(texts, fenced(readText(t, "docs/rows.md"), "yaml")...)
	for _, block := range texts {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(block), &n); err != nil {
			t.Fatalf("%v in\n%s", err, block)
		}
		checkNode(s, &n, known, &a)
		for _, m := range regexp.MustCompile(`steps\.data\.outputs\.([a-z-]+)`).FindAllStringSubmatch(block, -1) {
			if _, ok := a.Outputs[m[1]]; !ok {
				t.Errorf("the action has no output %s", m[1])
			}
		}
	}
	for _, block := range fenced(text, "sh") {
		if checkScript(s, "docs/ci.md", block) == 0 {
			t.Errorf("no call of tarn is found in\n%s", block)
		}
	}
	for _, m := range regexp.MustCompile("`(tarn [^`]+)`").FindAllStringSubmatch(text, -1) {
		checkCalls(t, "docs/ci.md", m[1])
	}
}

// section is a part of a text.
func section(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// checkNode looks at the keys of a workflow, a pipeline or a list of hooks that name something of tarn's.
func checkNode(s *shell, n *yaml.Node, known map[string]bool, a *action) {
	s.t.Helper()
	if n.Kind != yaml.MappingNode {
		for _, c := range n.Content {
			checkNode(s, c, known, a)
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i].Value, n.Content[i+1]
		switch {
		case key == "run", key == "script":
			var lines []string
			if v.Kind == yaml.ScalarNode {
				lines = []string{v.Value}
			}
			for _, c := range v.Content {
				lines = append(lines, c.Value)
			}
			checkScript(s, key, strings.Join(lines, "\n"))
		case key == "with":
			for j := 0; j < len(v.Content); j += 2 {
				if _, ok := a.Inputs[v.Content[j].Value]; !ok {
					s.t.Errorf("the action has no input %s", v.Content[j].Value)
				}
			}
		case key == "uses", key == "extends", key == "id" && strings.HasPrefix(v.Value, "tarn"):
			if !known[v.Value] {
				s.t.Errorf("there is no %s", v.Value)
			}
		case strings.HasPrefix(key, "TARN_"):
			if !known[key] {
				s.t.Errorf("ci/gitlab.yml has no variable %s", key)
			}
		case key == "file":
			readText(s.t, v.Value)
		}
		checkNode(s, v, known, a)
	}
}

// TestAnyCI runs the scripts of docs/ci.md in a clone with one commit.
func TestAnyCI(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tarn many times")
	}
	t.Parallel()
	blocks := fenced(readText(t, "docs/ci.md"), "sh")
	if len(blocks) != 2 {
		t.Fatalf("%d scripts", len(blocks))
	}
	line, script := blocks[0], blocks[1]
	s := houses(t)
	s.run("./pipeline.sh; git push -q origin main model-1")
	same := s.checkout("refs/heads/main")
	if out := same.run(script); !strings.HasSuffix(out, "nothing to train\n") {
		t.Errorf("the same data:\n%s", out)
	}
	if out, code := same.try(line); code != 0 || strings.Contains(out, "tagged") {
		t.Errorf("the same data: exit code %d:\n%s", code, out)
	}
	// What a CI system kept of Git's directory does without the remote.
	same.run("tarn pull; cp -r .git/tarn/cache ../")
	kept := s.checkout("refs/heads/main")
	kept.run("mkdir .git/tarn; mv ../cache .git/tarn/; mv ../store ../away; tarn check; mv ../away ../store")

	s.month("2026-02.csv", "601 150")
	s.run("git push -q origin main")
	for what, text := range map[string]string{"script": script, "line": "git fetch -q --tags origin\n" + line} {
		if out := s.checkout("refs/heads/main").run(text); !strings.HasSuffix(out, "tagged model-2\n") {
			t.Errorf("%s, new data:\n%s", what, out)
		}
	}
	// Nobody knows what changed since a tag that is not here: that is no reason to train, nor for nothing.
	if out, code := s.checkout("refs/heads/main").try(line); code == 0 || strings.Contains(out, "tagged") {
		t.Errorf("no tag: exit code %d:\n%s", code, out)
	}
}
