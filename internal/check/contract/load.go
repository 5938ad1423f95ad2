package contract

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed odcs-v3.1.0.schema.json
var odcsSchema []byte // of github.com/bitol-io/open-data-contract-standard, Apache-2.0, unchanged

//go:embed tarn-checks-1.schema.json
var checksSchema []byte

const (
	odcsURL   = "odcs.json"
	checksURL = "checks.json"
)

// compiled are the schemas, which take some milliseconds, once.
var compiled = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	for url, text := range map[string][]byte{odcsURL: odcsSchema, checksURL: checksSchema} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(url, doc); err != nil {
			return nil, err
		}
	}
	m := map[string]*jsonschema.Schema{}
	for _, url := range append([]string{odcsURL}, customURLs()...) {
		s, err := c.Compile(url)
		if err != nil {
			return nil, err
		}
		m[url] = s
	}
	return m, nil
})

// customNames are the checks that "engine: tarn" has.
var customNames = sync.OnceValue(func() []string {
	var doc struct {
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	if json.Unmarshal(checksSchema, &doc) != nil {
		return nil
	}
	var names []string
	for n := range doc.Defs {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
})

func customURLs() []string {
	var urls []string
	for _, n := range customNames() {
		urls = append(urls, checksURL+"#/$defs/"+n)
	}
	return urls
}

// Load reads a contract; file is its name for messages and, by its end, says what it is: a Table Schema is JSON. The error is Errors, with places.
func Load(file string, b []byte) (*Contract, error) {
	n, err := parse(file, b)
	if err != nil {
		return nil, err
	}
	l := &loader{c: &Contract{File: file}, root: n, keys: map[string]bool{}, made: map[*node]*Column{}, options: map[*node]bool{},
		logical: map[*Object]map[string]*Column{}}
	switch {
	case n.kind != 'm':
		l.fail(n, "a contract is a mapping with keys")
	case n.get("fields") != nil:
		l.tableSchema(n)
	case n.get("apiVersion") != nil || n.get("kind") != nil || n.get("schema") != nil:
		l.odcs(n)
	default:
		l.fail(n, "neither an ODCS contract (apiVersion, kind, schema) nor a Table Schema (fields)")
	}
	if len(l.errs) == 0 && len(l.c.Checks) == 0 {
		l.fail(n, "the contract has no check that tarn can run, so nothing can pass")
	}
	if len(l.errs) > 0 {
		slices.SortStableFunc(l.errs, func(a, b *Error) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) })
		return nil, l.errs
	}
	return l.c, nil
}

// loader turns nodes into a contract.
type loader struct {
	c    *Contract
	root *node
	errs Errors
	keys map[string]bool
	made map[*node]*Column // by property

	options map[*node]bool // the custom properties that were read

	logical map[*Object]map[string]*Column // by the names of the contract
}

func (l *loader) fail(n *node, format string, args ...any) {
	l.errs = append(l.errs, &Error{l.c.File, n.line, n.col, fmt.Sprintf(format, args...)})
}

// validate checks a node against a schema; what is wrong is told at its place.
func (l *loader) validate(n *node, url string) bool {
	schemas, err := compiled()
	if err != nil {
		l.fail(n, "%v", err)
		return false
	}
	err = schemas[url].Validate(n.plain())
	if err == nil {
		return true
	}
	ve, ok := err.(*jsonschema.ValidationError)
	if !ok {
		l.fail(n, "%v", err)
		return false
	}
	found, echoes := l.tell(n, leaves(ve))
	if len(found) == 0 {
		found = echoes
	}
	l.errs = append(l.errs, found...)
	return false
}

// tell words what is wrong. Where a part of the schema fails, the validator calls all keys that this part knows unknown, too: those are echoes, of
// which the innermost say most.
func (l *loader) tell(n *node, es []*jsonschema.ValidationError) (found, echoes Errors) {
	seen := map[string]bool{}
	deepest := 0
	for _, e := range es {
		path, msg, echo := l.word(n, e)
		line, col := n.at(path)
		if place := fmt.Sprintf("%d:%d:%s", line, col, msg); seen[place] {
			continue
		} else {
			seen[place] = true
		}
		err := &Error{l.c.File, line, col, msg}
		switch {
		case !echo:
			found = append(found, err)
		case len(path) > deepest:
			deepest, echoes = len(path), Errors{err}
		case len(path) == deepest:
			echoes = append(echoes, err)
		}
	}
	return found, echoes
}

// word is one error in words, and the way to where it is.
func (l *loader) word(n *node, e *jsonschema.ValidationError) (path []string, msg string, echo bool) {
	path = e.InstanceLocation
	if i := slices.Index(path, "logicalTypeOptions"); i >= 0 && n.way(path[:i]).get("logicalType") == nil {
		return path[:i+1], "options need a logicalType, and the property has none", false
	}
	switch k := e.ErrorKind.(type) {
	case *kind.OneOf:
		return path, choice(e, k.Subschemas), false
	case *kind.AnyOf:
		return path, choice(e, nil), false
	case *kind.Not: // the schemas have one
		return append(slices.Clone(path), "from"), "a relationship of a property has no from: it is the property", false
	case *kind.Minimum:
		return path, fmt.Sprintf("%s or more is needed, and here is %s", ratio(k.Want), ratio(k.Got)), false
	case *kind.Maximum:
		return path, fmt.Sprintf("%s or less is needed, and here is %s", ratio(k.Want), ratio(k.Got)), false
	case *kind.ExclusiveMinimum:
		return path, fmt.Sprintf("more than %s is needed, and here is %s", ratio(k.Want), ratio(k.Got)), false
	case *kind.MinItems:
		return path, fmt.Sprintf("%d elements are needed, and here are %d", k.Want, k.Got), false
	case *kind.MinProperties:
		return path, fmt.Sprintf("%d keys are needed, and here are %d", k.Want, k.Got), false
	case *kind.AdditionalProperties:
		key := k.Properties[0]
		if i := len(path) - 1; i > 0 && path[i] == "logicalTypeOptions" {
			return append(slices.Clone(path), key), fmt.Sprintf("the logicalType %s has no option %q", n.way(path[:i]).get("logicalType").str(), key), false
		}
		return append(slices.Clone(path), key), fmt.Sprintf("unknown key %q", key), false
	case *kind.FalseSchema:
		if len(path) > 0 {
			key := path[len(path)-1]
			if bytes.Contains(odcsSchema, []byte(`"`+key+`":`)) {
				return path, fmt.Sprintf("the key %q has no meaning here", key), true
			}
			return path, fmt.Sprintf("unknown key %q", key), false
		}
	}
	return path, e.ErrorKind.LocalizedString(message.NewPrinter(language.English)), false
}

func ratio(r *big.Rat) string {
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// choice words which of the alternatives of a oneOf or anyOf are wanted; more than one of oneOf may have matched.
func choice(e *jsonschema.ValidationError, matched []int) string {
	var keys, types, both []string
	alternatives := alternativesAt(e.SchemaURL)
	for i, a := range alternatives {
		switch {
		case len(a.Required) > 0:
			keys = append(keys, strings.Join(a.Required, " and "))
			if slices.Contains(matched, i) {
				both = append(both, strings.Join(a.Required, " and "))
			}
		case a.Type != "":
			types = append(types, map[string]string{"string": "a text", "object": "a mapping", "array": "a list"}[a.Type])
		}
	}
	switch {
	case strings.Contains(e.SchemaURL, "/RelationshipBase/"):
		return "a relationship names OBJECT.COLUMN or schema/ID/properties/ID, or a list of these"
	case len(both) > 0:
		return "only one of these keys can be here: " + strings.Join(both, ", ")
	case len(keys) > 0 && len(keys) == len(alternatives):
		return "one of these keys is needed: " + strings.Join(keys, ", ")
	case len(types) > 0 && len(types) == len(alternatives):
		return strings.Join(types, " or ") + " is wanted here"
	}
	return "this is in none of the forms that it may have"
}

// alternative is what a schema of a oneOf or anyOf begins with.
type alternative struct {
	Required []string
	Type     string
}

// alternativesAt are the alternatives of the schema at a URL.
func alternativesAt(url string) []alternative {
	text := odcsSchema
	file, pointer, _ := strings.Cut(url, "#/")
	if strings.HasSuffix(file, checksURL) {
		text = checksSchema
	}
	for _, p := range strings.Split(pointer, "/") {
		var doc map[string]json.RawMessage
		if json.Unmarshal(text, &doc) != nil {
			return nil
		}
		text = doc[p]
	}
	var s struct{ OneOf, AnyOf []alternative }
	if json.Unmarshal(text, &s) != nil {
		return nil
	}
	return append(s.OneOf, s.AnyOf...)
}

func isChoice(e *jsonschema.ValidationError) bool {
	switch e.ErrorKind.(type) {
	case *kind.OneOf, *kind.AnyOf:
		return true
	}
	return false
}

// leaves are the errors that say something by themselves. Of alternatives (oneOf, anyOf) the one that fits best is told: that with the fewest errors.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	if isChoice(e) {
		var best []*jsonschema.ValidationError
		for _, c := range e.Causes {
			if l := leaves(c); best == nil || len(l) < len(best) || len(l) == len(best) && depth(l) > depth(best) {
				best = l
			}
		}
		if depth(best) > len(e.InstanceLocation) {
			return best
		}
		return []*jsonschema.ValidationError{e}
	}
	var all []*jsonschema.ValidationError
	for _, c := range e.Causes {
		all = append(all, leaves(c)...)
	}
	return all
}

func depth(es []*jsonschema.ValidationError) int {
	d := 0
	for _, e := range es {
		d = max(d, len(e.InstanceLocation))
	}
	return d
}
