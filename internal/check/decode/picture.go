package decode

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"path"
	"strings"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
	"golang.org/x/sync/semaphore"
)

// pictureMemory is what all pictures that are decoded at once may take, in bytes.
const pictureMemory = 256 << 20

var pictures = semaphore.NewWeighted(pictureMemory)

// decoders, and what a pixel may cost them, in bytes: a progressive JPEG keeps its coefficients.
var decoders = map[string]struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	cost   int64
}{
	"jpeg": {jpeg.DecodeConfig, jpeg.Decode, 20}, "png": {png.DecodeConfig, png.Decode, 10}, "bmp": {bmp.DecodeConfig, bmp.Decode, 4},
	"tiff": {tiff.DecodeConfig, tiff.Decode, 10}, "webp": {webp.DecodeConfig, webp.Decode, 8},
}

// picture decodes all of a picture: the header says nothing about the rest, of which half may be missing.
func picture(kind string) func(context.Context, Source, io.Reader) error {
	return func(ctx context.Context, src Source, r io.Reader) error {
		return decoded(ctx, kind, src, r, func(image.Image) {})
	}
}

// room waits for the memory that a picture takes.
func room(ctx context.Context, width, height, cost int64) (release func(), err error) {
	if width <= 0 || height <= 0 {
		return nil, fmt.Errorf("it has %d × %d pixels", width, height)
	}
	need := width * height
	if need > pictureMemory/cost {
		return nil, fmt.Errorf("%w: it has %d × %d pixels", ErrTooLarge, width, height)
	}
	need *= cost
	if err := pictures.Acquire(ctx, need); err != nil {
		return nil, err
	}
	return func() { pictures.Release(need) }, nil
}

// decoded hands a picture over, which counts as memory until that returns.
func decoded(ctx context.Context, kind string, src Source, r io.Reader, do func(image.Image)) error {
	d := decoders[kind]
	var head io.Reader = io.NewSectionReader(marked{src}, 0, src.Size())
	if kind != "tiff" { // which is read in places, and would be copied whole if it could not
		head = bufio.NewReader(head)
	}
	c, err := d.config(head)
	if err != nil {
		return err
	}
	release, err := room(ctx, int64(c.Width), int64(c.Height), d.cost)
	if err != nil {
		return err
	}
	defer release()
	if kind == "tiff" {
		r = head
	} else {
		r = bufio.NewReaderSize(r, 64<<10)
	}
	m, err := d.decode(r)
	if err == nil {
		do(m)
	}
	return err
}

// IsPicture says that a name ends as that of a picture which Picture decodes.
func IsPicture(name string) bool {
	_, ok := decoders[extensions[strings.ToLower(path.Ext(name))]]
	return ok
}

// Picture decodes a picture, of a TIFF the first page, and hands it over; nothing of it may be kept. It says which format it
// has. Errors: *Error, ErrUnknown, ErrTooLarge, ErrUnsupported, what else stops it.
func Picture(ctx context.Context, name string, src Source, do func(image.Image)) (kind string, err error) {
	kind = kindOf(name, src)
	if _, ok := decoders[kind]; !ok {
		return "", ErrUnknown
	}
	return kind, safely(kind, src, func() error {
		if kind == "webp" {
			head, err := webpHead(src)
			if err != nil {
				return err
			}
			if animated(head) {
				return fmt.Errorf("%w: it is animated", ErrUnsupported)
			}
		}
		return decoded(ctx, kind, src, &reader{ctx: ctx, r: io.NewSectionReader(marked{src}, 0, src.Size())}, do)
	})
}
