package decode

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"

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
	d := decoders[kind]
	return func(ctx context.Context, src Source, r io.Reader) error {
		c, err := d.config(bufio.NewReader(io.NewSectionReader(marked{src}, 0, src.Size())))
		if err != nil {
			return err
		}
		if c.Width <= 0 || c.Height <= 0 {
			return fmt.Errorf("it has %d × %d pixels", c.Width, c.Height)
		}
		need := int64(c.Width) * int64(c.Height)
		if need > pictureMemory/d.cost {
			return fmt.Errorf("%w: it has %d × %d pixels", errTooLarge, c.Width, c.Height)
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
		if _, err := d.decode(r); err != nil {
			return err
		}
		return nil
	}
}
