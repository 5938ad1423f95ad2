package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Source is the bytes of a file. One that has a method Sequential() is told by it that it will be read from begin to end.
type Source interface {
	io.ReaderAt
	Size() int64
}

// Options say how a file is read; zero values are found out.
type Options struct {
	Format    string // csv, tsv, jsonl, parquet
	Dialect   Dialect
	Wanted    func(label string) bool // columns that are needed; nil: all. Only Parquet saves work by it.
	Names     []string                // of the columns that are expected, for formats whose rows may lack them
	Strict    bool                    // keys of JSON lines that are not among Names, and that the first rows don't have, are problems
	AllKeys   bool                    // the columns of JSON lines are the keys of all rows, which takes one more reading, and not of the first ones only
	Decimals  bool                    // decimals of Parquet are Decimal, all their digits, and not Float
	BlockSize int                     // bytes of text a task; 0: 1 MiB
}

// Dialect says how text is cut into cells.
type Dialect struct {
	Delimiter   byte // 0: found out
	Quote       byte // 0: "
	Escape      byte // 0: none
	NoDouble    bool
	Comment     byte
	NoHeader    bool
	Skip        int
	Encoding    string // "" is UTF-8, or UTF-16 with a byte order mark
	SkipInitial bool
}

// Task does a part of the work. emit gets batches in the order of rows; it may run beside other tasks.
type Task func(ctx context.Context, s *Scratch, emit func(*Batch) error) error

// Reader is an open table.
type Reader interface {
	// Labels are the names of the columns, in order.
	Labels() []string
	// Kinds are how the columns' values will stand in batches; nil: Text.
	Kinds() []Kind
	// Problems are those of the header.
	Problems() []Problem
	// Tasks yields the tasks one after the other. What is wrong with the file ends it with a *Error.
	Tasks(ctx context.Context, yield func(Task) error) error
	// Rows is how many rows there are, once all tasks were yielded; blank ones count.
	Rows() int64
}

// Error is a file that can't be read to its end. It is a finding about the data, not a failure of the machine.
type Error struct{ Problem }

func (e *Error) Error() string {
	if e.Row > 0 {
		return fmt.Sprintf("%s: row %d: %s", e.Code, e.Row, e.Note)
	}
	return e.Code + ": " + e.Note
}

func failure(code string, row int64, format string, args ...any) *Error {
	return &Error{Problem{Code: code, Row: row, Note: fmt.Sprintf(format, args...)}}
}

// FormatOf is the format and the compression that a path's ends say; empty where they say nothing.
func FormatOf(name string) (format, compression string) {
	name = strings.ToLower(path.Base(name))
	for ext, c := range map[string]string{".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2"} {
		if base, ok := strings.CutSuffix(name, ext); ok {
			name, compression = base, c
		}
	}
	switch path.Ext(name) {
	case ".csv":
		return "csv", compression
	case ".tsv", ".tab":
		return "tsv", compression
	case ".jsonl", ".ndjson":
		return "jsonl", compression
	case ".parquet", ".pq":
		return "parquet", compression
	}
	return "", compression
}

// Open begins to read a table. A *Error is a finding; what else fails is the machine's fault.
func Open(ctx context.Context, name string, src Source, o Options) (Reader, error) {
	format, compression := FormatOf(name)
	if o.Format != "" {
		format = o.Format
	}
	if o.BlockSize == 0 {
		o.BlockSize = 1 << 20
	}
	if format == "" {
		format = sniffFormat(src)
	}
	if format == "parquet" {
		return openParquet(src, o)
	}
	text, err := openText(ctx, src, compression, o.Dialect.Encoding)
	if err != nil {
		return nil, err
	}
	if format == "jsonl" {
		if o.AllKeys {
			if o.Names, err = allKeys(text, o); err != nil {
				return nil, err
			}
			if text, err = openText(ctx, src, compression, o.Dialect.Encoding); err != nil {
				return nil, err
			}
		}
		return openJSONL(text, o)
	}
	if format == "tsv" && o.Dialect.Delimiter == 0 {
		o.Dialect.Delimiter = '\t'
	}
	return openCSV(text, o)
}

// sniffFormat looks at the first bytes.
func sniffFormat(src Source) string {
	head := make([]byte, 4)
	n, _ := src.ReadAt(head, 0)
	switch {
	case string(head[:n]) == "PAR1":
		return "parquet"
	case n > 0 && head[0] == '{':
		return "jsonl"
	}
	return "csv"
}

// noteRead turns an error of reading into a finding where the data are to blame.
func noteRead(err error) error {
	var e *Error
	switch {
	case err == nil || errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return failure(CodeCompress, 0, "the file ends too early")
	}
	return err
}

var utf8BOM = []byte("\xef\xbb\xbf")

// labelsOf checks the names of columns.
func labelsOf(labels []string) (problems []Problem) {
	seen := map[string]int{}
	for i, l := range labels {
		switch at, twice := seen[l]; {
		case strings.TrimSpace(l) == "":
			problems = append(problems, Problem{Code: CodeBlankName, Row: 1, Col: i + 1, Note: fmt.Sprintf("the label of column %d is blank", i+1)})
		case twice:
			problems = append(problems, Problem{Code: CodeTwice, Row: 1, Col: i + 1, Note: fmt.Sprintf("the label %q is that of column %d, too", l, at), Value: cut([]byte(l))})
		default:
			seen[l] = i + 1
		}
		if len(problems) > 100 {
			break
		}
	}
	return problems
}

// Scratch is the memory of one goroutine that does tasks.
type Scratch struct {
	batch      Batch
	start, end []uint32
	nums       []int64
	json       jsonScratch
}
