package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// edges are the imports inside the module that are allowed; arrows point down this list only.
var edges = map[string][]string{
	"store/digest":             {},
	"store/chunk":              {"store/digest"},
	"store/blob":               {},
	"internal/durable":         {},
	"internal/config":          {"internal/durable"},
	"internal/durable/simdisk": {"internal/durable"},
	"store/blob/fs":            {"store/blob", "internal/durable"},
	"store/blob/mem":           {"store/blob"},
	"store/blob/http":          {"store/blob"},
	"store/blob/wrap":          {"store/blob"},
	"store/blob/blobtest":      {"store/blob"},
	"store/pack":               {"store/digest"},
	"store/table":              {"store/digest", "internal/durable"},
	"store/cache":              {"store/digest", "store/pack", "store/table", "internal/durable"},
	"store/remote":             {"store/digest", "store/pack", "store/table", "store/chunk", "store/blob", "internal/durable"},
	"store/transfer":           {"store/digest", "store/pack", "store/chunk", "store/remote"},
	"index":                    {"store/digest"},
	"index/scan":               {"index", "store/digest", "internal/durable"},
	"index/vcs":                {},
	"internal/human":           {},
	"internal/drift":           {},
	"internal/check/cell":      {},
	"internal/check/spill":     {},
	"internal/check/report":    {},
	"internal/check/table":     {},
	"internal/check/decode":    {"internal/check/table"},
	"internal/check/rows":      {"internal/check/cell", "internal/check/table", "internal/check/spill"},
	"internal/check/contract":  {"internal/check/cell", "internal/check/report"},
	"internal/profile":         {"internal/check/cell", "internal/check/decode", "internal/check/table", "internal/drift", "store/digest"},
	"internal/check":           {"internal/check/cell", "internal/check/contract", "internal/check/table", "internal/check/spill", "internal/check/decode", "internal/check/report"},
	"internal/profile/compare": {"internal/profile", "internal/drift", "internal/check/report"},
	"internal/htmlreport":      {"internal/check/report", "internal/drift", "internal/profile", "internal/profile/compare", "internal/human"},
	"cmd/internal/cli":         {"internal/htmlreport", "internal/dataset", "internal/config", "index", "store/chunk", "internal/check/report", "internal/check/rows", "internal/profile", "internal/profile/compare", "internal/drift", "internal/human"},
	"internal/dataset":         {"index", "index/scan", "index/vcs", "internal/config", "internal/durable", "store/digest", "store/pack", "store/cache", "store/remote", "store/transfer", "store/blob", "store/blob/fs", "store/blob/http", "store/blob/s3", "store/blob/s3/credentials", "store/blob/wrap", "internal/check", "internal/check/contract", "internal/check/report", "internal/check/rows", "internal/check/spill", "internal/check/table", "internal/check/cell", "internal/drift", "internal/profile", "internal/profile/compare"},
	"cmd/tarn":                 {"cmd/internal/cli"},
	"bench":                    {"store/chunk", "store/digest", "store/pack", "store/blob/s3/s3test"},

	"store/blob/s3":             {"store/blob", "store/blob/s3/credentials"},
	"store/blob/s3/credentials": {},
	"store/blob/s3/s3test":      {},
}

// only says which package may import something from outside that the others must not see.
var only = map[string][]string{
	"github.com/minio/minio-go/v7": {"store/blob/s3", "bench"},
	"github.com/spf13/cobra":       {"cmd/internal/cli"},
	"github.com/zeebo/blake3":      {"store/digest"},
	"os/exec":                      {"index/vcs", "cmd/internal/cli", "bench", "store/blob/s3/credentials", "store/blob/s3/s3test"},
}

func TestImportEdges(t *testing.T) {
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "testdata" || e.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		return checkFile(t, p, path.Dir(filepath.ToSlash(rel)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkFile(t *testing.T, file, pkg string) error {
	allowed, ok := edges[pkg]
	if !ok {
		t.Errorf("%s: package %s is not in the list of edges", file, pkg)
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if in, ok := strings.CutPrefix(name, "tarn/"); ok && !slices.Contains(allowed, in) {
			t.Errorf("%s: %s must not import %s", file, pkg, in)
		}
		for outside, by := range only {
			if (name == outside || strings.HasPrefix(name, outside+"/")) && !slices.Contains(by, pkg) {
				t.Errorf("%s: only %v may import %s", file, by, outside)
			}
		}
	}
	return nil
}
