package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// houses sets up what a team has: a bare repository, a remote, a clone with the first data and its model.
// What the shell's directory is then is the clone; origin is ../origin.git.
func houses(t *testing.T) *shell {
	t.Helper()
	s := newShell(t, "awk")
	s.copyExample()
	s.run(`git init -q
		tarn init -q
		tarn remote add origin ../store
		mkdir houses
		./make-data.sh 1 600 > houses/2026-01.csv
		tarn add houses
		git add .
		git commit -qm January
		tarn push
		git init -q --bare ../origin.git
		git remote add origin ../origin.git
		git push -q origin main`)
	return s
}

// month adds data and commits them, and then some commits that a shallow clone does not have.
func (s *shell) month(file, args string) {
	s.t.Helper()
	s.run(`tarn checkout -q houses
		./make-data.sh ` + args + ` > houses/` + file + `
		tarn add houses
		git commit -qm "` + args + `" houses.tarn
		tarn push
		for n in 1 2 3; do git commit -q --allow-empty -m "$n"; done`)
}

// merged is what a forge makes of a pull request: a merge of main and HEAD, refs/pull/1/merge. It gives the tip of main.
func (s *shell) merged() string {
	s.t.Helper()
	return strings.TrimSpace(s.run(`git push -qf origin HEAD:refs/heads/feature
		git checkout -q -B merge origin/main
		git merge -q --no-ff -m "Merge" feature
		git push -qf origin HEAD:refs/pull/1/merge
		git rev-parse origin/main`))
}

// checkout makes a clone as actions/checkout does: one commit, no branch and no tag.
func (s *shell) checkout(ref string) *shell {
	s.t.Helper()
	ci := *s
	ci.dir = filepath.Join(filepath.Dir(s.dir), "ci")
	s.run(`rm -rf ../ci
		git init -q ../ci
		cd ../ci
		git remote add origin "file://$(cd ../origin.git; pwd)"
		git fetch -q --no-tags --depth=1 origin "+` + ref + `:refs/remotes/ci"
		git checkout -q --detach refs/remotes/ci`)
	return &ci
}

func pullRequest(base string) map[string]any {
	return map[string]any{"event_name": "pull_request", "event": map[string]any{"pull_request": map[string]any{"base": map[string]any{"sha": base}}}}
}

func push(before string) map[string]any {
	return map[string]any{"event_name": "push", "event": map[string]any{"before": before}}
}

// with are inputs beside the tarn that is tested.
func with(t *testing.T, pairs ...string) map[string]string {
	t.Helper()
	bin, err := lookTarn()
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{"tarn": bin}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// TestActionReviews runs action.yml for pull requests, in clones with one commit of which origin has more.
func TestActionReviews(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tarn many times")
	}
	t.Parallel()
	s := houses(t)
	s.run("./pipeline.sh; git push -q origin main model-1; git branch feature")
	// main goes on while the pull request is open.
	s.run(`for n in 1 2 3; do git commit -q --allow-empty -m "$n"; done; git push -q origin main; git checkout -q feature`)
	s.month("2026-02.csv", "601 150")
	base := s.merged()

	ci := s.checkout("refs/pull/1/merge")
	j := &job{s: ci, event: pullRequest(base)}
	out := j.action(with(t, "against", "merge-base", "since", "model-*", "min-share", "5%"))
	if j.failed != "" || out["check"] != "passed" || out["drift"] != "passed" || out["changed"] != "true" || out["since"] != "model-1" || out["base"] != base || out["datasets"] != `["houses"]` || out["rows-added"] != "150" {
		t.Fatalf("failed %q, outputs %v, log:\n%s", j.failed, out, j.log)
	}
	for _, want := range []string{"## Data\n", "## Drift since " + base[:10], "750 rows", "## Changed data"} {
		if !strings.Contains(j.summary, want) {
			t.Errorf("%q is not in the summary:\n%s", want, j.summary)
		}
	}
	if _, err := os.Stat(filepath.Join(ci.dir, "houses")); err == nil {
		t.Error("the workspace was filled, and nobody asked for that")
	}
	if got := ci.run("git rev-parse --is-shallow-repository"); got != "true\n" {
		t.Error("all of history was fetched, and the merge and its parents would have done")
	}

	// The commit of the branch itself, not of the merge: history is needed to find where it began.
	fork := strings.TrimSpace(s.run("git merge-base feature origin/main"))
	j = &job{s: s.checkout("refs/heads/feature"), event: pullRequest(base)}
	out = j.action(with(t, "against", "merge-base", "pull", "\n  houses/2026-02.csv\n", "since", "model-1", "min-rows", "151", "changed-by-drift", "true"))
	if j.failed != "" || out["base"] != fork || fork == base || out["changed"] != "false" {
		t.Fatalf("base %s, wanted %s: failed %q, outputs %v, log:\n%s", base, fork, j.failed, out, j.log)
	}
	if got := j.s.run("ls houses; git status --short"); got != "2026-02.csv\n" {
		t.Errorf("pulled: %q", got)
	}

	// Bad data; and what check finds does not keep drift from being looked for.
	s.run("git checkout -q feature")
	s.month("2026-03.csv", "751 700 bad")
	base = s.merged()
	j = &job{s: s.checkout("refs/pull/1/merge"), event: pullRequest(base)}
	out = j.action(with(t, "against", "origin/main", "datasets", "houses"))
	if j.failed != "Verdict" || j.code != 1 || out["check"] != "failed" || out["drift"] == "" || out["base"] != base || !strings.Contains(j.log, "::error file=houses.contract.yaml,line=") {
		t.Fatalf("failed %q with %d, outputs %v, log:\n%s", j.failed, j.code, out, j.log)
	}

	// Drift, which may be asked not to fail.
	s.run("git checkout -q feature")
	s.month("2026-03.csv", "751 700 large")
	base = s.merged()
	for failOn, code := range map[string]int{"error": 1, "never": 0} {
		queue := map[string]any{"event_name": "merge_group", "event": map[string]any{"merge_group": map[string]any{"base_sha": base}}}
		j = &job{s: s.checkout("refs/pull/1/merge"), event: queue}
		out = j.action(with(t, "against", "merge-base", "fail-on", failOn, "check", "false"))
		if j.code != code || out["drift"] != "failed" || out["check"] != "" || out["changed"] != "" {
			t.Errorf("fail-on %s: failed %q with %d, outputs %v, log:\n%s", failOn, j.failed, j.code, out, j.log)
		}
	}
}

// TestActionEvents is about what else may start a workflow, and about values that nobody should trust.
func TestActionEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tarn many times")
	}
	t.Parallel()
	s := houses(t)
	ci := s.checkout("refs/heads/main")
	none := strings.Repeat("0", 40)
	for what, event := range map[string]map[string]any{"a new branch": push(none), "by hand": {"event_name": "workflow_dispatch", "event": map[string]any{}}} {
		j := &job{s: ci, event: event}
		out := j.action(with(t, "against", "merge-base", "since", "model-*"))
		if j.failed != "" || out["drift"] != "" || out["changed"] != "true" || out["since"] != "" {
			t.Errorf("%s: failed %q, outputs %v, log:\n%s", what, j.failed, out, j.log)
		}
	}

	// A push of some commits, where the clone has one.
	before := strings.TrimSpace(s.run("git rev-parse HEAD"))
	s.month("2026-02.csv", "601 150")
	s.run("git push -q origin main")
	j := &job{s: s.checkout("refs/heads/main"), event: push(before)}
	if out := j.action(with(t, "against", "merge-base")); j.failed != "" || out["base"] != before || out["drift"] != "passed" {
		t.Errorf("failed %q, outputs %v, log:\n%s", j.failed, out, j.log)
	}

	// A whole clone stays whole.
	s.run("git tag v1 HEAD~3; git push -q origin v1; rm -rf ../ci; git clone -q --no-tags ../origin.git ../ci")
	above := *ci
	above.dir = filepath.Dir(ci.dir)
	j = &job{s: &above, event: push(before)}
	if out := j.action(with(t, "against", "v1", "working-directory", "ci")); j.failed != "" || out["drift"] != "passed" || strings.TrimSpace(ci.run("git rev-parse --is-shallow-repository")) != "false" {
		t.Errorf("failed %q, outputs %v, log:\n%s", j.failed, out, j.log)
	}

	for _, bad := range []string{"$(touch pwned)`touch pwned`\"; touch pwned; \"'; touch pwned; '", "x\ntouch pwned", "--output=pwned"} {
		for _, in := range []map[string]string{
			with(t, "against", bad), with(t, "since", bad),
			with(t, "pull", bad, "datasets", bad, "fail-on", bad, "since", "v1", "min-rows", bad, "min-share", bad, "changed-by-drift", bad),
		} {
			j := &job{s: ci, event: push(before), goOn: in["since"] == "v1"}
			if out := j.action(in); j.failed == "" || out["changed"] != "" || out["base"] != "" {
				t.Errorf("%q: failed %q, outputs %v, log:\n%s", bad, j.failed, out, j.log)
			}
		}
	}
	if found, _ := filepath.Glob(filepath.Join(ci.dir, "*pwned*")); len(found) > 0 {
		t.Errorf("a value was run: %v", found)
	}
	for _, since := range []string{"model-*\nchanged=true", "a b"} {
		j := &job{s: ci, event: push(before)}
		if out := j.action(with(t, "since", since, "check", "false")); j.failed == "" || out["changed"] != "" {
			t.Errorf("since is %q, and nothing fails: %v", since, out)
		}
	}
	j = &job{s: ci, event: push(before)}
	if j.action(with(t, "datasets", " a  b \n")); !strings.Contains(j.log, "tarn: a  b is not in a dataset") {
		t.Errorf("log:\n%s", j.log)
	}
	j = &job{s: ci, event: push(before)}
	if j.action(with(t, "since", "no-such-tag")); !strings.Contains(j.log, "::error title=tarn::there is no revision no-such-tag") {
		t.Errorf("log:\n%s", j.log)
	}
}

// TestActionBuilds builds tarn as the action does where no program is given.
func TestActionBuilds(t *testing.T) {
	if testing.Short() {
		t.Skip("builds tarn")
	}
	t.Parallel()
	s := newShell(t, "go")
	for _, k := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", "GOTOOLCHAIN"} {
		s.env = append(s.env, k+"="+strings.TrimSpace(s.run("go env "+k, "HOME="+os.Getenv("HOME"), "XDG_CONFIG_HOME="+os.Getenv("XDG_CONFIG_HOME"))))
	}
	j := &job{s: s, event: map[string]any{}}
	if j.action(map[string]string{"check": "false"}); j.failed != "" || !strings.HasPrefix(j.log, "tarn ") {
		t.Errorf("failed %q, log:\n%s", j.failed, j.log)
	}
}

// TestActionIsWhole: inputs are used, and those that are used are there; nothing but variables reaches a script.
func TestActionIsWhole(t *testing.T) {
	s := newShell(t)
	text := readText(t, "action.yml")
	var a action
	readYAML(t, "action.yml", &a)
	calls := 0
	for _, st := range a.Runs.Steps {
		calls += checkScript(s, st.Name, st.Run)
		if st.Shell != "bash" || st.Uses != "" {
			t.Errorf("%s: not a script for bash", st.Name)
		}
		for name := range st.Env {
			if !strings.Contains(st.Run, "$"+name) && !strings.Contains(st.Run, "${"+name) {
				t.Errorf("%s does not use %s", st.Name, name)
			}
		}
	}
	if calls != 4 {
		t.Errorf("%d calls of tarn were found", calls)
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`inputs\.([a-z-]+)`).FindAllStringSubmatch(text, -1) {
		used[m[1]] = true
		if _, ok := a.Inputs[m[1]]; !ok {
			t.Errorf("there is no input %s", m[1])
		}
	}
	for name, in := range a.Inputs {
		if !used[name] || in.Description == "" {
			t.Errorf("input %s is not used, or not described", name)
		}
	}
	for name, out := range a.Outputs {
		if !strings.Contains(out.Value, "steps.") || out.Description == "" {
			t.Errorf("output %s", name)
		}
	}
}

// TestExampleOnGitHub runs the workflow of the example: the first model, nothing new, new data, data that drifted and then are accepted.
func TestExampleOnGitHub(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tarn many times")
	}
	t.Parallel()
	s := houses(t)
	var w struct {
		Jobs map[string]struct{ Steps []step }
	}
	readYAML(t, "testdata/example/github.yml", &w)
	train := func(inputs map[string]any) *job {
		t.Helper()
		j := &job{s: s.checkout("refs/heads/main"), event: push("")}
		steps := map[string]any{}
		x := expressions{"inputs": inputs, "github": j.event, "steps": steps}
		for _, st := range w.Jobs["train"].Steps {
			switch {
			case j.failed != "" || strings.HasPrefix(st.Uses, "actions/checkout"):
			case st.Uses != "":
				in := with(t)
				for k, v := range st.With {
					in[k] = x.fill(v)
				}
				outputs := map[string]any{}
				for k, v := range j.action(in) {
					outputs[k] = v
				}
				steps[st.ID] = map[string]any{"outputs": outputs}
			default:
				j.step(st, x, steps)
			}
		}
		s.run("git fetch -q --tags origin; git reset -q --hard origin/main")
		return j
	}
	tags := func(want string) {
		t.Helper()
		if got := strings.Join(strings.Fields(s.run("git ls-remote -q --refs --tags origin | sed s,.*/,,")), " "); got != want {
			t.Fatalf("tags at origin: %s, not %s", got, want)
		}
	}
	for _, step := range []struct {
		month, args string
		inputs      map[string]any
		code        int
		tags        string
	}{
		{"", "", nil, 0, "model-1"},
		{"", "", nil, 0, "model-1"},
		{"2026-02.csv", "601 150", nil, 0, "model-1 model-2"},
		{"2026-03.csv", "751 100 bad", nil, 1, "model-1 model-2"},
		{"2026-03.csv", "751 700 large", nil, 1, "model-1 model-2"},
		{"", "", map[string]any{"accept-drift": true}, 0, "model-1 model-2 model-3"},
	} {
		if step.month != "" {
			s.month(step.month, step.args)
			s.run("git push -q origin main")
		}
		if j := train(step.inputs); j.code != step.code {
			t.Fatalf("%s %s: failed %q with %d, log:\n%s", step.month, step.args, j.failed, j.code, j.log)
		}
		tags(step.tags)
	}
}
