package cli

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// action is what tests look at of a composite action of GitHub's.
type action struct {
	Inputs  map[string]struct{ Default, Description string }
	Outputs map[string]struct{ Value, Description string }
	Runs    struct {
		Using string
		Steps []step
	}
}

type step struct {
	Name, ID, If, Uses, Shell, Run string
	Dir                            string `yaml:"working-directory"`
	Env, With                      map[string]string
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readText(t, file)), into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

var expression = regexp.MustCompile(`\$\{\{(.*?)\}\}`)

// expressions has GitHub's contexts: inputs, github, steps, secrets.
type expressions map[string]any

// fill replaces the expressions in a text.
func (x expressions) fill(text string) string {
	return expression.ReplaceAllStringFunc(text, func(e string) string {
		if v := x.value(expression.FindStringSubmatch(e)[1]); v != nil {
			return fmt.Sprint(v)
		}
		return ""
	})
}

// value knows of GitHub's expressions ||, &&, ==, != and single values.
func (x expressions) value(e string) any {
	if a, b, ok := strings.Cut(e, "||"); ok {
		if v := x.value(a); truth(v) {
			return v
		}
		return x.value(b)
	}
	if a, b, ok := strings.Cut(e, "&&"); ok {
		if v := x.value(a); !truth(v) {
			return v
		}
		return x.value(b)
	}
	if a, b, ok := strings.Cut(e, "!="); ok {
		return !same(x.value(a), x.value(b))
	}
	if a, b, ok := strings.Cut(e, "=="); ok {
		return same(x.value(a), x.value(b))
	}
	e = strings.TrimSpace(e)
	if text, ok := strings.CutPrefix(e, "'"); ok {
		return strings.TrimSuffix(text, "'")
	}
	var v any = map[string]any(x)
	for _, key := range strings.Split(e, ".") {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func truth(v any) bool { return v != nil && v != "" && v != false }

func same(a, b any) bool {
	text := func(v any) string {
		if v == nil {
			return ""
		}
		return fmt.Sprint(v)
	}
	return text(a) == text(b)
}

// job runs the steps of a job of GitHub's, as far as that goes without GitHub.
type job struct {
	s       *shell
	event   map[string]any // github
	paths   string
	summary string
	log     string
	failed  string // the name of the first step that failed
	code    int
	goOn    bool // also after a step that failed
}

// action runs the action of this repository, and gives its outputs.
func (j *job) action(with map[string]string) map[string]string {
	t := j.s.t
	t.Helper()
	var a action
	readYAML(t, "action.yml", &a)
	inputs := map[string]any{}
	for name, in := range a.Inputs {
		inputs[name] = in.Default
	}
	for name, v := range with {
		if _, ok := inputs[name]; !ok {
			t.Fatalf("the action has no input %s", name)
		}
		inputs[name] = v
	}
	steps := map[string]any{}
	x := expressions{"inputs": inputs, "github": j.event, "steps": steps}
	for _, st := range a.Runs.Steps {
		if j.failed == "" || j.goOn {
			j.step(st, x, steps)
		}
	}
	outputs := map[string]string{}
	for name, out := range a.Outputs {
		outputs[name] = x.fill(out.Value)
	}
	return outputs
}

// step runs a script, and puts its outputs into steps.
func (j *job) step(st step, x expressions, steps map[string]any) {
	t := j.s.t
	t.Helper()
	if st.If != "" && !truth(x.value(st.If)) {
		return
	}
	tmp := t.TempDir()
	file := func(name string) string { return filepath.Join(tmp, name) }
	action, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"RUNNER_OS=Linux", "RUNNER_TEMP=" + tmp, "GITHUB_ACTION_PATH=" + action, "GITHUB_OUTPUT=" + file("output"), "GITHUB_STEP_SUMMARY=" + file("summary"), "GITHUB_PATH=" + file("path"),
		"PATH=" + j.paths + os.Getenv("PATH")}
	for k, v := range st.Env {
		env = append(env, k+"="+x.fill(v))
	}
	s := *j.s
	s.dir = filepath.Join(s.dir, x.fill(st.Dir))
	out, code := s.try(st.Run, env...)
	j.log += out
	if code != 0 && j.failed == "" {
		j.failed, j.code = st.Name, code
	}
	outputs := map[string]any{}
	for line := range strings.Lines(contents(t, file("output"))) {
		k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		outputs[k] = v
	}
	steps[st.ID] = map[string]any{"outputs": outputs}
	j.summary += contents(t, file("summary"))
	for line := range strings.Lines(contents(t, file("path"))) {
		j.paths = strings.TrimSuffix(line, "\n") + string(os.PathListSeparator) + j.paths
	}
}

// contents are those of a file that there may be.
func contents(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

var (
	tarnCall  = regexp.MustCompile(`(?m)(?:^|[;&|(!$] ?|then |else |do |- |\$\()\s*tarn ((?:\\\n|[^;&|\n#])*)`)
	shellWord = regexp.MustCompile(`"[^"]*"|'[^']*'|[^\s"']+`)
)

// checkCalls holds each call of tarn in a script against the verbs and flags that there are, and gives their number.
func checkCalls(t *testing.T, where, script string) int {
	t.Helper()
	calls := tarnCall.FindAllStringSubmatch(script, -1)
	for _, call := range calls {
		var args []string
		for _, w := range shellWord.FindAllString(call[1], -1) {
			args = append(args, strings.Trim(w, `"'`))
		}
		a := &app{Streams: Streams{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}, Getenv: func(string) string { return "" }}}
		top := a.rootCommand()
		cmd, rest, err := top.Find(args)
		if err != nil || cmd == top && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			t.Errorf("%s: tarn %s: there is no such verb", where, call[1])
			continue
		}
		for _, w := range rest {
			if w == "--" {
				break
			}
			name, _, _ := strings.Cut(w, "=")
			known := true
			switch {
			case strings.HasPrefix(name, "--"):
				known = cmd.Flag(name[2:]) != nil
			case len(name) > 1 && name[0] == '-':
				known = cmd.Flags().ShorthandLookup(name[1:2]) != nil || top.PersistentFlags().ShorthandLookup(name[1:2]) != nil
			}
			if !known {
				t.Errorf("%s: tarn %s: there is no flag %s", where, call[1], name)
			}
		}
	}
	return len(calls)
}

// checkScript parses a script, and looks at its calls of tarn.
func checkScript(s *shell, where, script string) int {
	s.t.Helper()
	if strings.Contains(script, "${{") {
		s.t.Errorf("%s: a value is put into the script as text:\n%s", where, script)
	}
	file := filepath.Join(s.t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script), 0o666); err != nil {
		s.t.Fatal(err)
	}
	if out, code := s.try(`bash -n "$FILE"`, "FILE="+file); code != 0 {
		s.t.Errorf("%s: %s", where, out)
	}
	return checkCalls(s.t, where, script)
}

// gitlab are jobs of a file for GitLab, with what they extend.
type gitlab struct {
	variables map[string]string
	jobs      map[string]gitlabJob
}

type gitlabJob struct {
	Extends      string
	BeforeScript []string `yaml:"before_script"`
	Script       []string
	Variables    map[string]string
	Needs        []string
	Artifacts    struct{ Reports map[string]string }
}

// readGitLab reads files of which later ones count.
func readGitLab(t *testing.T, texts ...string) *gitlab {
	t.Helper()
	g := &gitlab{variables: map[string]string{}, jobs: map[string]gitlabJob{}}
	for _, text := range texts {
		var nodes map[string]yaml.Node
		if err := yaml.Unmarshal([]byte(text), &nodes); err != nil {
			t.Fatal(err)
		}
		for name, n := range nodes {
			var err error
			var j gitlabJob
			switch name {
			case "include":
			case "variables":
				var vs map[string]string
				if err = n.Decode(&vs); err == nil {
					maps.Copy(g.variables, vs)
				}
			default:
				if err = n.Decode(&j); err == nil {
					g.jobs[name] = j
				}
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	return g
}

// job is a job with what it extends.
func (g *gitlab) job(t *testing.T, name string) gitlabJob {
	t.Helper()
	j, ok := g.jobs[name]
	if !ok {
		t.Fatalf("there is no job %s", name)
	}
	if j.Extends != "" {
		base := g.job(t, j.Extends)
		if j.BeforeScript == nil {
			j.BeforeScript = base.BeforeScript
		}
		if j.Script == nil {
			j.Script = base.Script
		}
		if j.Needs == nil {
			j.Needs = base.Needs
		}
	}
	return j
}

// script is what a runner gives to a shell: both parts in one.
func (j *gitlabJob) script() string {
	return strings.Join(append(append([]string{}, j.BeforeScript...), j.Script...), "\n")
}

// run runs a job with the variables of a pipeline, and those of reports of the jobs that it needs.
func (g *gitlab) run(s *shell, name string, env map[string]string) (string, int) {
	s.t.Helper()
	j := g.job(s.t, name)
	var list []string
	for _, vs := range []map[string]string{g.variables, env} {
		for k, v := range vs {
			list = append(list, k+"="+v)
		}
	}
	out, code := s.try(j.script(), list...)
	for form, file := range j.Artifacts.Reports {
		if contents(s.t, filepath.Join(s.dir, file)) == "" {
			s.t.Errorf("%s: no report %s in %s:\n%s", name, form, file, out)
		}
	}
	return out, code
}

// lookTarn is the program that the tests are.
func lookTarn() (string, error) { return exec.LookPath("tarn") }
