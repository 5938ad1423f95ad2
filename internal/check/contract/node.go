package contract

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"tarn/internal/check/cell"
	"tarn/internal/check/report"
)

// MaxSize is how large a contract may be, in bytes.
const MaxSize = 32 << 20

// maxNodes bounds what a text of so many bytes can become, also by aliases: a column takes ten bytes for each of its nodes.
func maxNodes(size int) int { return max(1<<18, size/8) }

// Error is what is wrong with a contract, and where.
type Error struct {
	File      string
	Line, Col int // from 1; 0: not known
	Msg       string
}

// Error is one line, whatever keys and values the contract has.
func (e *Error) Error() string {
	file, msg := report.Clean(e.File), report.Clean(e.Msg)
	switch {
	case e.Line == 0:
		return fmt.Sprintf("%s: %s", file, msg)
	case e.Col == 0:
		return fmt.Sprintf("%s:%d: %s", file, e.Line, msg)
	}
	return fmt.Sprintf("%s:%d:%d: %s", file, e.Line, e.Col, msg)
}

// Errors is all that is wrong with a contract, by place.
type Errors []*Error

func (es Errors) Error() string {
	const most = 20
	var b strings.Builder
	for i, e := range es {
		if i == most {
			fmt.Fprintf(&b, "\n… and %d more", len(es)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Error())
	}
	return b.String()
}

// node is a value of a contract with its place.
type node struct {
	line, col int
	value     any    // nil, bool, int64, float64, string of a scalar
	digits    string // of a number that a float64 is only near to: how it is written
	keys      []key
	list      []*node
	kind      byte // 's'calar, 'm'ap, 'l'ist
}

type key struct {
	name      string
	line, col int
	*node
}

// get is a key's value, or nil.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for i := range n.keys {
		if n.keys[i].name == name {
			return n.keys[i].node
		}
	}
	return nil
}

func (n *node) str() string {
	if n == nil {
		return ""
	}
	switch v := n.value.(type) {
	case string:
		return v
	case nil:
		return ""
	case float64:
		return cmp.Or(n.digits, strconv.FormatFloat(v, 'g', -1, 64))
	default:
		return fmt.Sprint(v)
	}
}

func (n *node) bool() bool {
	if n == nil {
		return false
	}
	b, _ := n.value.(bool)
	return b
}

func (n *node) number() (float64, bool) {
	if n == nil {
		return 0, false
	}
	switch v := n.value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// items are the elements of a list, or none.
func (n *node) items() []*node {
	if n == nil {
		return nil
	}
	return n.list
}

// plain is the value as package encoding/json would give it.
func (n *node) plain() any {
	switch n.kind {
	case 'm':
		m := make(map[string]any, len(n.keys))
		for _, k := range n.keys {
			m[k.name] = k.node.plain()
		}
		return m
	case 'l':
		l := make([]any, len(n.list))
		for i, e := range n.list {
			l[i] = e.plain()
		}
		return l
	}
	return n.value
}

// way is the deepest node on the way.
func (n *node) way(path []string) *node {
	for _, p := range path {
		next := n.get(p)
		if i, err := strconv.Atoi(p); err == nil && i >= 0 && i < len(n.list) {
			next = n.list[i]
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// at is the place of the deepest node on the way.
func (n *node) at(path []string) (line, col int) {
	line, col = n.line, n.col
	for _, p := range path {
		switch n.kind {
		case 'm':
			i := slices.IndexFunc(n.keys, func(k key) bool { return k.name == p })
			if i < 0 {
				return line, col
			}
			line, col, n = n.keys[i].line, n.keys[i].col, n.keys[i].node
		case 'l':
			i, err := strconv.Atoi(p)
			if err != nil || i < 0 || i >= len(n.list) {
				return line, col
			}
			n = n.list[i]
			line, col = n.line, n.col
		default:
			return line, col
		}
	}
	return line, col
}

// parse reads YAML, or JSON where the file is that.
func parse(file string, b []byte) (*node, error) {
	if len(b) > MaxSize {
		return nil, Errors{{file, 0, 0, fmt.Sprintf("a contract has at most %d bytes", MaxSize)}}
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if strings.HasSuffix(file, ".json") {
		return parseJSON(file, b)
	}
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, Errors{{file, 1, 1, "the contract is empty"}}
		}
		return nil, yamlError(file, b, err)
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, Errors{{file, second.Line, second.Column, "a contract is one YAML document, and here a second one begins"}}
	case !errors.Is(err, io.EOF):
		return nil, yamlError(file, b, err)
	}
	c := &converter{file: file, left: maxNodes(len(b))}
	n := c.convert(doc.Content[0], 0)
	if len(c.errs) > 0 {
		return nil, c.errs
	}
	return n, nil
}

// yamlError has the line at which the text goes wrong. The library names none for some errors; the line of its parser is that where the mapping or
// list begins, less one.
func yamlError(file string, b []byte, err error) error {
	msg, near := strings.TrimPrefix(err.Error(), "yaml: "), 0
	if rest, ok := strings.CutPrefix(msg, "line "); ok {
		num, text, _ := strings.Cut(rest, ": ")
		if n, nerr := strconv.Atoi(num); nerr == nil {
			near, msg = n, text
		}
	}
	if near > 0 && strings.HasPrefix(msg, "did not find expected") {
		near++
	}
	return Errors{{file, brokenLine(b, near), 0, msg}}
}

// brokenLine is a line up to which the text is YAML and with which it is none: that at which the parser gave up, one of the two before, for it looks
// ahead, or the line that it named, or the first one. Where there is none it is what the parser named.
func brokenLine(b []byte, near int) int {
	starts := []int{0}
	for i, c := range b {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	starts = append(starts, len(b))
	good := func(lines int) bool { return yamlOnly(bytes.NewReader(b[:starts[lines]])) == nil }
	r := &lineReader{text: b}
	if yamlOnly(r) == nil {
		return near
	}
	last := 1
	for last < len(starts)-1 && starts[last] < r.at {
		last++
	}
	tries := []int{last, last - 1, last - 2, near}
	if b[0] != '{' && b[0] != '[' { // such a text is open from its first line on
		tries = append(tries, 1)
	}
	for _, n := range tries {
		if n >= 1 && n <= last && good(n-1) && !good(n) {
			return n
		}
	}
	if near == 0 {
		return last
	}
	return near
}

func yamlOnly(r io.Reader) error {
	dec := yaml.NewDecoder(r)
	for {
		if err := dec.Decode(new(yaml.Node)); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// lineReader gives a line at a time, so that at is soon after what was looked at.
type lineReader struct {
	text []byte
	at   int
}

func (r *lineReader) Read(p []byte) (int, error) {
	rest := r.text[r.at:]
	if len(rest) == 0 {
		return 0, io.EOF
	}
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i+1]
	}
	n := copy(p, rest)
	r.at += n
	return n, nil
}

type converter struct {
	file string
	left int
	errs Errors
}

func (c *converter) fail(y *yaml.Node, format string, args ...any) *node {
	c.errs = append(c.errs, &Error{c.file, y.Line, y.Column, fmt.Sprintf(format, args...)})
	return &node{line: y.Line, col: y.Column, kind: 's'}
}

func (c *converter) convert(y *yaml.Node, depth int) *node {
	if c.left--; c.left < 0 || depth > 100 {
		c.left = 0
		if len(c.errs) == 0 {
			return c.fail(y, "the contract is too large once its aliases are put in")
		}
		return &node{kind: 's'}
	}
	n := &node{line: y.Line, col: y.Column}
	switch y.Kind {
	case yaml.AliasNode:
		return c.convert(y.Alias, depth+1)
	case yaml.SequenceNode:
		n.kind = 'l'
		for _, e := range y.Content {
			n.list = append(n.list, c.convert(e, depth+1))
		}
	case yaml.MappingNode:
		n.kind = 'm'
		for i := 0; i+1 < len(y.Content); i += 2 {
			k := y.Content[i]
			if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
				return c.fail(k, "a key is plain text")
			}
			if n.get(k.Value) != nil {
				return c.fail(k, "the key %q stands here twice", k.Value)
			}
			n.keys = append(n.keys, key{k.Value, k.Line, k.Column, c.convert(y.Content[i+1], depth+1)})
		}
	case yaml.ScalarNode:
		n.kind, n.value = 's', scalar(y)
		n.digits = digits(n.value, y.Value)
	default:
		return c.fail(y, "unexpected YAML")
	}
	return n
}

func scalar(y *yaml.Node) any {
	var v any
	switch y.ShortTag() {
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
		if y.Decode(&v) != nil {
			return y.Value
		}
	default:
		return y.Value
	}
	switch v := v.(type) {
	case int:
		return int64(v)
	case uint64:
		return float64(v)
	}
	return v
}

// digits is how a number is written that was rounded, where a column's type would read it.
func digits(value any, text string) string {
	if _, ok := value.(float64); !ok || strings.Trim(text, "+-.0123456789") != "" {
		return ""
	}
	if n, ok := (&cell.Spec{Type: cell.Number}).Parse([]byte(text)); ok && n.Exact != "" {
		return text
	}
	return ""
}

// parseJSON reads JSON and keeps the places, which package encoding/json does not.
func parseJSON(file string, b []byte) (*node, error) {
	p := &jsonParser{dec: json.NewDecoder(bytes.NewReader(b)), text: b, left: maxNodes(len(b))}
	p.dec.UseNumber()
	n, err := p.value(0)
	if err == nil {
		if _, terr := p.dec.Token(); !errors.Is(terr, io.EOF) {
			err = errors.New("something stands after the end of the document")
		}
	}
	if err != nil {
		line, col := p.place(p.dec.InputOffset())
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the document ends too early")
		}
		return nil, Errors{{file, line, col, err.Error()}}
	}
	return n, nil
}

type jsonParser struct {
	dec  *json.Decoder
	text []byte
	left int
	line int   // of the offset that was looked up last
	at   int64 // that offset
	bol  int64 // where its line begins
}

// place is line and column of an offset; offsets mostly go up.
func (p *jsonParser) place(off int64) (line, col int) {
	for off < int64(len(p.text)) && bytes.IndexByte([]byte(" \t\r\n:,"), p.text[off]) >= 0 {
		off++
	}
	if p.line == 0 || off < p.at {
		p.line, p.at, p.bol = 1, 0, 0
	}
	for ; p.at < off; p.at++ {
		if p.text[p.at] == '\n' {
			p.line, p.bol = p.line+1, p.at+1
		}
	}
	return p.line, int(off-p.bol) + 1
}

func (p *jsonParser) value(depth int) (*node, error) {
	if p.left--; p.left < 0 || depth > 100 {
		return nil, errors.New("the contract is too large")
	}
	n := &node{kind: 's'}
	n.line, n.col = p.place(p.dec.InputOffset())
	tok, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case json.Delim:
		return p.compound(n, t, depth)
	case json.Number:
		if i, err := t.Int64(); err == nil {
			n.value = i
		} else if n.value, err = t.Float64(); err != nil {
			return nil, err
		}
		n.digits = digits(n.value, t.String())
	default:
		n.value = t
	}
	return n, nil
}

func (p *jsonParser) compound(n *node, open json.Delim, depth int) (*node, error) {
	n.kind = 'l'
	if open == '{' {
		n.kind = 'm'
	}
	for p.dec.More() {
		var k key
		if n.kind == 'm' {
			k.line, k.col = p.place(p.dec.InputOffset())
			tok, err := p.dec.Token()
			if err != nil {
				return nil, err
			}
			k.name = tok.(string)
			if n.get(k.name) != nil {
				return nil, fmt.Errorf("the key %q stands here twice", k.name)
			}
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if k.node = v; n.kind == 'm' {
			n.keys = append(n.keys, k)
		} else {
			n.list = append(n.list, v)
		}
	}
	_, err := p.dec.Token()
	return n, err
}
