package check

import (
	"fmt"
	"strings"
	"testing"

	"tarn/internal/check/contract"
)

// TestInferEncoding: a file that is no UTF-8 is taken for one in Windows-1252, and the contract that says so passes on it; one of UTF-8 with a flaw is not.
func TestInferEncoding(t *testing.T) {
	const latin, euro = "id,ort\n1,M\xfcnchen\n2,K\xf6ln\n", "id,ort\n3,5 \x80\n"
	late := "id,ort\n" + strings.Repeat("1,Ulm\n", inferText/6) + "2,F\xfcrth\n"
	latest := "id,ort\n" + strings.Repeat("1,Ulm\n", 2*inferRows) + "2,F\xfcrth\n"
	const guess, as = "in windows-1252, as there are bytes that are not UTF-8", " (windows-1252)"
	for name, c := range map[string]struct {
		src   files
		want  string // tables with their encodings
		fails bool
	}{
		"one":                   {files{"t.csv": latin}, "t t.csv id:integer ort:string" + as, false},
		"tabs":                  {files{"t.tsv": "\xe9\tb\n1\t2\n"}, "t t.tsv é:integer b:integer" + as, false},
		"compressed":            {files{"t.csv.gz": gzipped(euro)}, "t t.csv.gz id:integer ort:string" + as, false},
		"with ASCII":            {files{"a.csv": latin, "b.csv": "id,ort\n5,Ulm\n", "c.csv": euro}, "data *.csv id:integer ort:string" + as, false},
		"beside UTF-8":          {files{"a.csv": latin, "b.csv": "id,ort\n5,Köln\n", "c.csv": "id,ort\n5,Ulm\n"}, "a a.csv id:integer ort:string" + as + "\ndata {b.csv,c.csv} id:integer ort:string", false},
		"UTF-8 far behind":      {files{"a.csv": latin, "b.csv": late[:len(late)-len("F\xfcrth\n")] + "Fürth\n"}, "a a.csv id:integer ort:string" + as + "\nb b.csv id:integer ort:string", false},
		"behind what is looked": {files{"t.csv": late}, "t t.csv id:integer ort:string" + as, false},
		"behind the rows":       {files{"t.csv": latest}, "t t.csv id:integer ort:string" + as, false},
		"UTF-16":                {files{"t.csv": "\xff\xfei\x00d\x00\n\x001\x00\n\x00", "u.csv": latin}, "t t.csv id:integer\nu u.csv id:integer ort:string" + as, false},
		"a flaw in UTF-8":       {files{"t.csv": "id,ort\n1,Köln\n2,F\xfcrth\n3,Jülich\n"}, "t t.csv id:integer ort:string", true},
		"no text of it":         {files{"t.csv": "id,ort\n1,\x81\x8d\n"}, "t t.csv id:integer ort:string", true},
		"JSON":                  {files{"t.jsonl": "{\"id\":1,\"ort\":\"K\xf6ln\"}\n"}, "t t.jsonl id:any ort:any", true},
	} {
		text, got := guessed(t, c.src)
		var lines []string
		for i, o := range got.Objects {
			line := strings.Split(objects(got), "\n")[i]
			if e := o.Dialect.Encoding; e != "" {
				line += fmt.Sprintf(" (%s)", e)
			}
			lines = append(lines, line)
		}
		if tables := strings.Join(lines, "\n"); tables != c.want {
			t.Errorf("%s: %s", name, tables)
		}
		if strings.Contains(text, guess) != strings.Contains(c.want, as) {
			t.Errorf("%s: %s", name, text)
		}
		if out := outcome(runCheck(t, text, c.src)); (out != "") != c.fails {
			t.Errorf("%s: %q", name, out)
		}
	}
	// What is read are the characters.
	text, c := guessed(t, files{"t.csv": "n\n" + strings.Repeat("1\xdf\n2\x80\n", inferEnough)})
	for _, k := range c.Checks {
		if k.Kind == contract.Invalid && strings.Join(k.Values, " ") != "1ß 2€" {
			t.Errorf("%q", k.Values)
		}
	}
	if !strings.Contains(text, "1ß") {
		t.Error(text)
	}
}
