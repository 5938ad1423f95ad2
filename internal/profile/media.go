package profile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"io"
	"math"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tarn/internal/check/decode"
	"tarn/store/digest"
)

// Media is a kind of files of which each is a row of a table: what was measured of it.
type Media string

// The kinds.
const (
	Pictures Media = "pictures"
	Texts    Media = "texts"
)

var textEndings = []string{".txt", ".text", ".md", ".rst", ".tex", ".html", ".htm", ".xml"}

// MediaOf is what a name says that a file is; "" is neither.
func MediaOf(name string) Media {
	switch {
	case decode.IsPicture(name):
		return Pictures
	case slices.Contains(textEndings, strings.ToLower(path.Ext(name))):
		return Texts
	}
	return ""
}

// Options is the digest that stands in profiles for how files of the kind are read.
func (m Media) Options() digest.Digest { return digest.Sum([]byte("tarn " + m)) }

// BuildMedia measures a file. One that can't be decoded is a row of nulls but for its size, and a Problem; the error is of the machine.
func BuildMedia(ctx context.Context, m Media, name string, src decode.Source, d digest.Digest) (*Profile, error) {
	r := &row{p: &Profile{Files: 1, Rows: 1}, seed: binary.LittleEndian.Uint64(d[:8])}
	var err error
	if m == Pictures {
		err = r.picture(ctx, name, src)
	} else {
		err = r.text(ctx, src)
	}
	var bad *decode.Error
	if errors.As(err, &bad) || errors.Is(err, decode.ErrUnknown) || errors.Is(err, decode.ErrTooLarge) || errors.Is(err, decode.ErrUnsupported) {
		r.p.Problem, err = err.Error(), nil
	}
	r.number("bytes", float64(src.Size()), true)
	r.p.Finish()
	return r.p, err
}

// row makes columns of one value.
type row struct {
	p    *Profile
	seed uint64
}

func (r *row) column(name string) *Column {
	c := newColumn(name, r.seed, 0, len(r.p.Columns))
	c.Rows = 1
	r.p.Columns = append(r.p.Columns, c)
	return c
}

func (r *row) number(name string, f float64, there bool) {
	c := r.column(name)
	if !there {
		c.Nulls = 1
		return
	}
	c.Numbers.addTimes(f, 1)
	c.Top.addNumber(math.Float64bits(f), 1)
	c.distinct.add(hashBits(math.Float64bits(f)))
}

func (r *row) word(name, s string) {
	c := r.column(name)
	if s == "" {
		c.Nulls = 1
		return
	}
	c.Lengths.addTimes(float64(utf8.RuneCountInString(s)), 1)
	c.Top.addText([]byte(s), 1)
	c.distinct.add(hashText([]byte(s)))
}

func (r *row) picture(ctx context.Context, name string, src decode.Source) error {
	var mode string
	var size image.Point
	var mean, deviation float64
	format, err := decode.Picture(ctx, name, src, func(m image.Image) {
		mode, size = modeOf(m), m.Bounds().Size()
		mean, deviation = light(m)
	})
	ok := err == nil
	if !ok {
		format = ""
	}
	r.number("width", float64(size.X), ok)
	r.number("height", float64(size.Y), ok)
	r.word("format", format)
	r.word("mode", mode)
	r.number("brightness", round(mean), ok)
	r.number("contrast", round(deviation), ok)
	return err
}

// round keeps what is the same on all machines.
func round(f float64) float64 { return math.Round(f*1e6) / 1e6 }

func modeOf(m image.Image) string {
	switch m.ColorModel() {
	case color.GrayModel:
		return "gray"
	case color.Gray16Model:
		return "gray16"
	case color.CMYKModel:
		return "cmyk"
	case color.RGBA64Model, color.NRGBA64Model:
		return "rgb16"
	case color.YCbCrModel:
		return "rgb"
	case color.NYCbCrAModel:
		return "rgba"
	}
	if _, ok := m.ColorModel().(color.Palette); ok {
		return "palette"
	}
	if o, ok := m.(interface{ Opaque() bool }); ok && !o.Opaque() {
		return "rgba"
	}
	return "rgb"
}

// lightPixels is how many pixels are looked at, in a grid.
const lightPixels = 250_000

// light is mean and standard deviation of the luma, from 0 to 1, of pixels over black.
func light(m image.Image) (mean, deviation float64) {
	b := m.Bounds()
	step := max(1, int(math.Sqrt(float64(b.Dx())*float64(b.Dy())/lightPixels)))
	var n, sum, squares float64
	at := func(x, y int) float64 {
		r, g, b, _ := m.At(x, y).RGBA()
		return (.299*float64(r) + .587*float64(g) + .114*float64(b)) / 0xffff
	}
	switch p := m.(type) {
	case *image.YCbCr:
		at = func(x, y int) float64 { return float64(p.Y[p.YOffset(x, y)]) / 255 }
	case *image.Gray:
		at = func(x, y int) float64 { return float64(p.Pix[p.PixOffset(x, y)]) / 255 }
	}
	for y := b.Min.Y; y < b.Max.Y; y += step {
		for x := b.Min.X; x < b.Max.X; x += step {
			l := at(x, y)
			n, sum, squares = n+1, sum+l, squares+l*l
		}
	}
	mean = sum / n
	return mean, math.Sqrt(math.Max(0, squares/n-mean*mean))
}

// text measures what does not depend on a language. Bytes that are no UTF-8 count as characters of their own.
func (r *row) text(ctx context.Context, src decode.Source) error {
	in := bufio.NewReaderSize(io.NewSectionReader(src, 0, src.Size()), 64<<10)
	var chars, letters, digits, spaces, lines, words, bad, upper float64
	scripts := map[string]int64{}
	ascii, nul, inWord, last := true, false, false, '\n'
	for k := 0; ; k++ {
		if k&0xffff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		c, size, err := in.ReadRune()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		chars++
		last = c
		ascii = ascii && c < utf8.RuneSelf
		space := unicode.IsSpace(c)
		switch {
		case c == utf8.RuneError && size == 1:
			bad++
			ascii = false
		case c == 0:
			nul = true
		case space:
			spaces++
			if c == '\n' {
				lines++
			}
		case unicode.IsDigit(c):
			digits++
		case unicode.IsLetter(c):
			letters++
			if unicode.IsUpper(c) {
				upper++
			}
			scripts[scriptOf(c)]++
		}
		if !space && !inWord {
			words++
		}
		inWord = !space
	}
	if last != '\n' {
		lines++
	}
	encoding := "utf-8"
	switch {
	case nul:
		encoding = "binary"
	case bad > 0:
		encoding = "other"
	case ascii:
		encoding = "ascii"
	}
	r.number("characters", chars, true)
	r.number("words", words, true)
	r.number("lines", lines, true)
	for _, s := range []struct {
		name  string
		n, of float64
	}{{"letters", letters, chars}, {"upper", upper, letters}, {"digits", digits, chars}, {"spaces", spaces, chars}, {"characters a word", chars - spaces, words}} {
		r.number(s.name, round(s.n/math.Max(1, s.of)), s.of > 0)
	}
	r.word("script", mostFrequent(scripts))
	r.word("encoding", encoding)
	return nil
}

// scriptNames are those that most texts are in; others are looked for one after the other.
var scriptNames = func() []string {
	first := []string{"Latin", "Cyrillic", "Han", "Arabic", "Devanagari", "Hiragana", "Katakana", "Hangul", "Greek", "Hebrew", "Thai"}
	var rest []string
	for n := range unicode.Scripts {
		if !slices.Contains(first, n) {
			rest = append(rest, n)
		}
	}
	slices.Sort(rest)
	return append(first, rest...)
}()

func scriptOf(c rune) string {
	for _, n := range scriptNames {
		if unicode.Is(unicode.Scripts[n], c) {
			return n
		}
	}
	return "Unknown"
}

// mostFrequent is the most frequent name, of several the first by name.
func mostFrequent(counts map[string]int64) (name string) {
	for n, k := range counts {
		if name == "" || k > counts[name] || k == counts[name] && n < name {
			name = n
		}
	}
	return name
}

// Bundle is the digest that stands for many small files together, in their order.
func Bundle(files []digest.Digest) digest.Digest {
	var b bytes.Buffer
	for _, d := range files {
		b.Write(d[:])
	}
	return digest.Sum(b.Bytes())
}

// Join makes the profile of a bundle of those of its files.
func Join(ps []*Profile) *Profile {
	all := &Profile{}
	for _, p := range ps {
		all.Merge(p)
	}
	all.Finish()
	return all
}
