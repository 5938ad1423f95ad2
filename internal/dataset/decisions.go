package dataset

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tarn/index"
	"tarn/store/digest"
)

// Take is whom a conflict is decided for.
type Take string

// The decisions; none leaves it open.
const (
	TakeNone   Take = ""
	TakeOurs   Take = "ours"
	TakeTheirs Take = "theirs"
	TakeBoth   Take = "both"
)

var choices = map[Take]index.Choice{TakeNone: index.Undecided, TakeOurs: index.TakeOurs, TakeTheirs: index.TakeTheirs, TakeBoth: index.TakeBoth}

// decisions are what the user said about the conflicts of one merge of a dataset, until it is done (docs/format-local.md).
type decisions struct {
	merge digest.Digest   // of what Git does, since when, at which commit, and the versions that are merged
	wrote digest.Digest   // the manifest that the last resolve wrote; zero: none yet
	takes map[string]Take // by path in the dataset, "" for all of it
}

// mergeID tells one merge from another.
func (s *sides) mergeID() digest.Digest {
	b := fmt.Appendf(nil, "%s %s %d\n", s.verb, s.head, s.began)
	for _, v := range append([]*version{s.ours.v, s.theirs.v}, s.bases...) {
		var id digest.Digest
		if v != nil {
			id = v.id
		}
		b = append(b, id[:]...)
	}
	return digest.Sum(b)
}

// of is what was decided about a path: the longest path that covers it counts.
func (d *decisions) of(p string) Take {
	for top := strings.TrimSuffix(p, "/"); ; top = top[:max(0, strings.LastIndexByte(top, '/'))] {
		if take, ok := d.takes[top]; ok || top == "" {
			return take
		}
	}
}

const decisionsHeader = "tarn 1 resolve"

func (d *decisions) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nmerge %s\nwrote %s\n", decisionsHeader, d.merge, d.wrote)
	for _, p := range sortedKeys(d.takes) {
		take := d.takes[p]
		if p == "" {
			p = "."
		}
		fmt.Fprintf(&b, "%s %s\n", take, index.Quote(p))
	}
	return b.Bytes()
}

// decode reads what encode wrote; what is not exactly that, or is about another merge, is no decision.
func (d *decisions) decode(b []byte) bool {
	lines := strings.Split(string(b), "\n")
	if len(lines) < 4 || lines[0] != decisionsHeader || lines[1] != "merge "+d.merge.String() {
		return false
	}
	var err error
	if d.wrote, err = digest.Parse(strings.TrimPrefix(lines[2], "wrote ")); err != nil {
		return false
	}
	for _, l := range lines[3 : len(lines)-1] {
		take, name, _ := strings.Cut(l, " ")
		p, err := index.Unquote(name)
		if err != nil {
			return false
		}
		if p == "." {
			p = ""
		}
		d.takes[p] = Take(take)
	}
	return string(d.encode()) == string(b)
}

const maxDecisions = 16 << 20 // bytes of the file

func (r *Repo) decisionsPath(dataset string) string {
	return filepath.Join(r.own, "resolve", datasetID(dataset))
}

// decisionsOf are those that were taken about a merge so far.
func (r *Repo) decisionsOf(dataset string, s *sides) *decisions {
	d := &decisions{merge: s.mergeID(), takes: map[string]Take{}}
	f, err := os.Open(r.decisionsPath(dataset))
	if err != nil {
		return d
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxDecisions))
	if err != nil || !d.decode(b) {
		return &decisions{merge: d.merge, takes: map[string]Take{}}
	}
	return d
}

func (r *Repo) keepDecisions(dataset string, d *decisions) error {
	p := r.decisionsPath(dataset)
	if err := r.disk.MkdirAll(filepath.Dir(p), 0o777); err != nil {
		return err
	}
	return r.disk.WriteFile(p, d.encode(), 0o666)
}
