package profile

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tarn/store/digest"
)

func media(t *testing.T, m Media, name string, b []byte) *Profile {
	t.Helper()
	p, err := BuildMedia(context.Background(), m, name, bytes.NewReader(b), digest.Sum(b))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// values is the one value of each column.
func values(p *Profile) string {
	var s []string
	for _, c := range p.Columns {
		v := "null"
		for _, x := range c.Top.Values() {
			if v = x.Text; x.IsNumber {
				v = fmt.Sprint(x.Number)
			}
		}
		s = append(s, c.Name+" "+v)
	}
	return strings.Join(s, ", ")
}

func TestPictures(t *testing.T) {
	gray := image.NewGray(image.Rect(0, 0, 40, 20))
	for i := range gray.Pix {
		gray.Pix[i] = uint8(255 * (i % 2))
	}
	white := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	clear := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	palette := image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.Black, color.White})
	var all []*Profile
	for _, c := range []struct {
		m    image.Image
		jpeg bool
		want string
	}{
		{gray, false, "width 40, height 20, format png, mode gray, brightness 0.5, contrast 0.5"}, {white, true, "width 16, height 16, format jpeg, mode rgb, brightness 1, contrast 0"},
		{clear, false, "width 3, height 2, format png, mode rgba, brightness 0, contrast 0"}, {palette, false, "width 4, height 4, format png, mode palette, brightness 0, contrast 0"},
		{white, false, "width 16, height 16, format png, mode rgb, brightness 1, contrast 0"},
	} {
		var b bytes.Buffer
		err := png.Encode(&b, c.m)
		if c.jpeg {
			b.Reset()
			err = jpeg.Encode(&b, c.m, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		p := media(t, Pictures, "x.png", b.Bytes())
		if c.jpeg {
			p = media(t, Pictures, "x.jpg", b.Bytes())
		}
		if d := cmp.Diff(fmt.Sprintf("%s, bytes %d", c.want, b.Len()), values(p)); d != "" || p.Problem != "" {
			t.Error(d, p.Problem)
		}
		all = append(all, p)
		broken := media(t, Pictures, "x.png", b.Bytes()[:b.Len()/2])
		if broken.Problem == "" || values(broken) != fmt.Sprintf("width null, height null, format null, mode null, brightness null, contrast null, bytes %d", b.Len()/2) {
			t.Errorf("half a picture: %s, %s", values(broken), broken.Problem)
		}
		all = append(all, broken)
	}
	p := Join(all)
	if w := p.Column("width"); p.Rows != 10 || w.Nulls != 5 || w.Numbers.N != 5 || w.Numbers.Max != 40 {
		t.Errorf("%+v", w)
	}
	if _, _, _, err := Decode(encoded(p)); err != nil {
		t.Error(err)
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"Hello World 12\nx\n", "characters 17, words 4, lines 2, letters 0.647059, upper 0.181818, digits 0.117647, spaces 0.235294, characters a word 3.25, script Latin, encoding ascii, bytes 17"},
		{"привет a", "characters 8, words 2, lines 1, letters 0.875, upper 0, digits 0, spaces 0.125, characters a word 3.5, script Cyrillic, encoding utf-8, bytes 14"},
		{"", "characters 0, words 0, lines 0, letters null, upper null, digits null, spaces null, characters a word null, script null, encoding ascii, bytes 0"},
		{"\xff ", "characters 2, words 1, lines 1, letters 0, upper null, digits 0, spaces 0.5, characters a word 1, script null, encoding other, bytes 2"},
	} {
		if d := cmp.Diff(c.want, values(media(t, Texts, "x.txt", []byte(c.text)))); d != "" {
			t.Error(d)
		}
	}
	if MediaOf("a/B.JPG") != Pictures || MediaOf("x.md") != Texts || MediaOf("x.csv") != "" {
		t.Error("kinds of files")
	}
}
