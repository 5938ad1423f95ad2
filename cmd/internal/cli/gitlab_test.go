package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestGitLabIsWhole parses the scripts of ci/gitlab.yml.
func TestGitLabIsWhole(t *testing.T) {
	s := newShell(t)
	g := readGitLab(t, readText(t, "ci/gitlab.yml"), readText(t, "testdata/example/gitlab.yml"))
	calls := 0
	for name := range g.jobs {
		j := g.job(t, name)
		calls += checkScript(s, name, j.script())
		for _, need := range j.Needs {
			g.job(t, need)
		}
		if !strings.HasPrefix(name, ".") && len(j.Script) == 0 {
			t.Errorf("%s has no script", name)
		}
	}
	if calls < 8 {
		t.Errorf("%d calls of tarn were found", calls)
	}
}

// TestExampleOnGitLab runs the example's jobs, in clones as a runner makes them.
func TestExampleOnGitLab(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tarn many times")
	}
	t.Parallel()
	s := houses(t)
	g := readGitLab(t, readText(t, "ci/gitlab.yml"), readText(t, "testdata/example/gitlab.yml"))
	// Where the job pushes to is the bare repository.
	s.run(`git config --global "url.file://$(cd ../origin.git; pwd).insteadOf" https://data:secret@gitlab.example.com/team/houses.git`)
	env := map[string]string{"CI_SERVER_HOST": "gitlab.example.com", "CI_PROJECT_PATH": "team/houses", "PUSH_TOKEN": "secret"}
	run := func(ci *shell, name string, want int) string {
		t.Helper()
		out, code := g.run(ci, name, env)
		if code != want {
			t.Fatalf("%s: exit code %d, not %d:\n%s", name, code, want, out)
		}
		return out
	}
	train := func(tags string) {
		t.Helper()
		ci := s.checkout("refs/heads/main")
		run(ci, "tarn:check", 0)
		run(ci, "tarn:changed", 0)
		for line := range strings.Lines(contents(t, filepath.Join(ci.dir, "tarn.env"))) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
			env[k] = v
		}
		ci.run("rm tarn-check.json tarn-check.xml tarn.env")
		run(ci, "train", 0)
		s.run("git fetch -q --tags origin; git reset -q --hard origin/main")
		if got := strings.Join(strings.Fields(s.run("git tag")), " "); got != tags {
			t.Fatalf("tags: %s, not %s", got, tags)
		}
	}
	train("model-1")
	train("model-1")
	if env["TARN_CHANGED"] != "false" {
		t.Errorf("variables: %v", env)
	}

	// A merge request, whose base is not in the clone.
	env["CI_MERGE_REQUEST_DIFF_BASE_SHA"] = strings.TrimSpace(s.run("git rev-parse HEAD"))
	s.run("git checkout -q -b feature")
	s.month("2026-02.csv", "601 150")
	s.run("git push -q origin feature")
	ci := s.checkout("refs/heads/feature")
	run(ci, "tarn:check", 0)
	run(ci, "tarn:drift", 0)
	s.run("git checkout -q main; git merge -q feature; git push -q origin main")
	train("model-1 model-2")
	if env["TARN_CHANGED"] != "true" || env["TARN_ROWS_ADDED"] != "150" || env["TARN_DRIFTED"] != "[]" {
		t.Errorf("variables: %v", env)
	}

	for kind, codes := range map[string][2]int{"bad": {1, 0}, "large": {0, 1}} {
		s.run("git checkout -q -B feature main")
		s.month("2026-03.csv", "751 700 "+kind)
		s.run("git push -qf origin feature")
		ci := s.checkout("refs/heads/feature")
		run(ci, "tarn:check", codes[0])
		run(ci, "tarn:drift", codes[1])
	}
}
