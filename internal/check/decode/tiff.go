package decode

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
)

// tiffPages is how many pages of a TIFF are decoded.
const tiffPages = 1_000_000

// Tags of TIFF 6.0; subIFDs are of its technical note 1 for PageMaker, and hold the sizes of a picture, or what a camera saw.
const (
	tagCompression  = 259
	tagSamples      = 277
	tagPlanar       = 284
	tagGroup3       = 292
	tagSubIFDs      = 330
	tiffEntry       = 12 // bytes
	tiffShort       = 3
	tiffLong        = 4
	tiffIFD         = 13
	tiffCompressed3 = 3
)

// tiffFile decodes all pages of a TIFF. Its decoder knows of the first one only, so it is shown the file once for each, with another page as the first.
func tiffFile(ctx context.Context, src Source, _ io.Reader) error {
	t := tiffReader{src: src}
	if err := t.read(t.head[:], 0); err != nil {
		return err
	}
	switch string(t.head[:4]) {
	case "II*\x00":
		t.order = binary.LittleEndian
	case "MM\x00*":
		t.order = binary.BigEndian
	case "II+\x00", "MM\x00+":
		return fmt.Errorf("%w: it is a BigTIFF", ErrUnsupported)
	default:
		return errors.New("it does not begin as one")
	}
	guard := bombGuard(src.Size())
	first := t.order.Uint32(t.head[4:])
	todo := []uint32{first}
	inRow := map[uint32]bool{first: true} // what was met; true: as the page after another
	var skipped later
	for page := 1; len(todo) > 0; page++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		next, subs, err := t.page(ctx, todo[0], guard)
		if err = skipped.after(err); err != nil && page > 1 {
			return fmt.Errorf("page %d: %w", page, err)
		}
		if err != nil {
			return err
		}
		todo = todo[1:]
		if inRow[next] {
			return fmt.Errorf("the page after page %d is an earlier one", page)
		}
		for i, at := range append(subs, next) {
			if _, ok := inRow[at]; !ok && at != 0 {
				todo = append(todo, at)
			}
			if at != 0 {
				inRow[at] = inRow[at] || i == len(subs)
			}
		}
		if len(inRow) > tiffPages {
			return fmt.Errorf("%w: it has more than %d pages", ErrTooLarge, tiffPages)
		}
	}
	return skipped.err
}

type tiffReader struct {
	src   Source
	head  [8]byte
	order binary.ByteOrder
}

func (t *tiffReader) read(p []byte, off int64) error {
	_, err := io.ReadFull(io.NewSectionReader(marked{t.src}, off, int64(len(p))), p)
	return err
}

// page decodes the page whose directory is at a place, and says where the next one is, 0 if it is the last, and those below it; it does so also if
// nothing is known about its pixels.
func (t *tiffReader) page(ctx context.Context, at uint32, guard *expands) (next uint32, subs []uint32, err error) {
	var n [2]byte
	if err := t.read(n[:], int64(at)); err != nil {
		return 0, nil, err
	}
	entries := make([]byte, tiffEntry*int(t.order.Uint16(n[:]))+4)
	if err := t.read(entries, int64(at)+2); err != nil {
		return 0, nil, err
	}
	next = t.order.Uint32(entries[len(entries)-4:])
	value := map[uint16]uint32{}
	for e := entries; len(e) >= tiffEntry; e = e[tiffEntry:] {
		tag, kind, count := t.order.Uint16(e), t.order.Uint16(e[2:]), t.order.Uint32(e[4:])
		switch {
		case kind == tiffShort:
			value[tag] = uint32(t.order.Uint16(e[8:]))
		case tag == tagSubIFDs && (kind == tiffLong || kind == tiffIFD):
			if subs, err = t.list(e[8:tiffEntry], count); err != nil {
				return 0, nil, err
			}
		}
	}
	switch {
	case value[tagPlanar] == 2 && value[tagSamples] > 1:
		return next, subs, fmt.Errorf("%w: its colors are in planes", ErrUnsupported)
	case value[tagCompression] == tiffCompressed3 && value[tagGroup3]&1 != 0:
		return next, subs, fmt.Errorf("%w: it is a fax in two dimensions", ErrUnsupported)
	}
	p := tiffPage{t.src, t.head}
	t.order.PutUint32(p.head[4:], at)
	pixels := int64(0)
	err = decoded(ctx, "tiff", p, nil, func(m image.Image) { pixels = int64(m.Bounds().Dx()) * int64(m.Bounds().Dy()) })
	if err != nil {
		return next, subs, err
	}
	return next, subs, guard.grow(pixels / 8) // of one bit or more
}

// list is the values of a tag of type LONG: one stands in the entry, more where that points to.
func (t *tiffReader) list(entry []byte, count uint32) ([]uint32, error) {
	if count > tiffPages {
		return nil, fmt.Errorf("%w: it has more than %d pages", ErrTooLarge, tiffPages)
	}
	if count > 1 {
		at := t.order.Uint32(entry)
		if int64(at)+4*int64(count) > t.src.Size() {
			return nil, io.ErrUnexpectedEOF
		}
		entry = make([]byte, 4*count)
		if err := t.read(entry, int64(at)); err != nil {
			return nil, err
		}
	}
	list := make([]uint32, count)
	for i := range list {
		list[i] = t.order.Uint32(entry[4*i:])
	}
	return list, nil
}

// tiffPage is a file whose header says that another page is the first.
type tiffPage struct {
	Source
	head [8]byte
}

func (p tiffPage) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.Source.ReadAt(b, off)
	if off >= 0 && off < int64(len(p.head)) {
		copy(b[:n], p.head[off:])
	}
	return n, err
}
