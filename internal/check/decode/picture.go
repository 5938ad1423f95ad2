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

// decoders and what a pixel may cost them, in bytes: a progressive JPEG keeps its coefficients.
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

// decoded hands a picture over, which counts as memory until that returns.
func decoded(ctx context.Context, kind string, src Source, r io.Reader, do func(image.Image)) error {
	d := decoders[kind]
	c, err := d.config(bufio.NewReader(io.NewSectionReader(marked{src}, 0, src.Size())))
	if err != nil {
		return err
	}
	if c.Width <= 0 || c.Height <= 0 {
		return fmt.Errorf("it has %d × %d pixels", c.Width, c.Height)
	}
	need := int64(c.Width) * int64(c.Height)
	if need > pictureMemory/d.cost {
		return fmt.Errorf("%w: it has %d × %d pixels", ErrTooLarge, c.Width, c.Height)
	}
	need *= d.cost
	if err := pictures.Acquire(ctx, need); err != nil {
		return err
	}
	defer pictures.Release(need)
	if kind == "tiff" {
		r = io.NewSectionReader(marked{src}, 0, src.Size()) // it is read in places, and would be copied whole otherwise
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

// Picture decodes a picture and hands it over; nothing of it may be kept. It says which format it has. Errors: *Error, ErrUnknown, ErrTooLarge, what else stops it.
func Picture(ctx context.Context, name string, src Source, do func(image.Image)) (kind string, err error) {
	kind = kindOf(name, src)
	if _, ok := decoders[kind]; !ok {
		return "", ErrUnknown
	}
	return kind, safely(kind, src, func() error {
		return decoded(ctx, kind, src, &reader{ctx: ctx, r: io.NewSectionReader(marked{src}, 0, src.Size())}, do)
	})
}
