package decode

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"regexp"
	"strconv"
)

func npyFile(_ context.Context, _ Source, r io.Reader) error { return npy(r) }

const npyHeader = 1 << 20 // bytes, at most

// npy reads arrays of NumPy (NEP 1), of which several may stand in a file, one after the other.
func npy(r io.Reader) error {
	b := bufio.NewReaderSize(r, 64<<10)
	for n := 1; ; n++ {
		err := npyArray(b)
		if err != nil && n > 1 {
			return fmt.Errorf("array %d: %w", n, noEOF(err))
		}
		if err != nil {
			return noEOF(err)
		}
		if _, err := b.Peek(1); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// npyArray reads one array: the header says how many bytes follow.
func npyArray(r *bufio.Reader) error {
	var head [10]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	if string(head[:6]) != "\x93NUMPY" {
		return errors.New("it does not begin as one")
	}
	n := int64(binary.LittleEndian.Uint16(head[8:]))
	if head[6] >= 2 {
		var more [2]byte
		if _, err := io.ReadFull(r, more[:]); err != nil {
			return err
		}
		n |= int64(binary.LittleEndian.Uint16(more[:])) << 16
	}
	if head[6] < 1 || head[6] > 3 || n > npyHeader {
		return fmt.Errorf("version %d with a header of %d bytes", head[6], n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return err
	}
	v, err := pyParse(string(header))
	if err != nil {
		return fmt.Errorf("its header: %w", err)
	}
	fields, _ := v.(pyDict)
	shape, ok := fields["shape"].(pyTuple)
	_, ordered := fields["fortran_order"].(bool)
	if fields["descr"] == nil || !ok || !ordered {
		return errors.New("its header has no shape, no order or no type")
	}
	size, objects, err := npySize(fields["descr"])
	if err != nil {
		return err
	}
	if objects {
		return pickled(r)
	}
	if size, err = times(size, shape); err != nil {
		return err
	}
	got, err := io.CopyN(io.Discard, r, int64(size))
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%d bytes of data follow, and its shape %v needs %d", got, shape, size)
	}
	return err
}

// pickled reads objects, which stand at the end of a file; the last byte of what Python's pickle wrote is STOP.
func pickled(r io.Reader) error {
	t := tailReader{r: r}
	if _, err := io.Copy(io.Discard, &t); err != nil {
		return err
	}
	if n := len(t.last); n == 0 || t.last[n-1] != '.' {
		return errors.New("the end of its objects is missing")
	}
	return nil
}

// npyType is what NumPy writes for a type that has no fields: order of bytes, kind, size, for U in characters of 4 bytes, and the unit of times.
var npyType = regexp.MustCompile(`^[<>|=]?([biufcmMOSUV])(\d*)(?:\[[^\]]*\])?$`)

// npySize is the bytes of one value of a type: that of a text like '<f8', or of a list of its fields. Objects have none.
func npySize(descr any) (size uint64, objects bool, err error) {
	switch d := descr.(type) {
	case string:
		m := npyType.FindStringSubmatch(d)
		switch {
		case m != nil && m[1] == "O":
			return 0, true, nil
		case m == nil || m[2] == "": // all that numpy.dtype() takes may stand here
			return 0, false, fmt.Errorf("%w: its type is %.100q", ErrUnsupported, d)
		}
		if size, err = strconv.ParseUint(m[2], 10, 32); err != nil {
			return 0, false, fmt.Errorf("its type is %.100q", d)
		}
		if m[1] == "U" {
			size *= 4
		}
		return size, false, nil
	case pyList:
		for _, f := range d {
			n, o, err := npyField(f)
			if err != nil {
				return 0, false, err
			}
			if size += n; size > 1<<62 {
				return 0, false, errors.New("its type can't be")
			}
			objects = objects || o
		}
		return size, objects, nil
	case pyTuple: // a type and the shape of a part
		if len(d) == 2 {
			return npyField(pyTuple{"", d[0], d[1]})
		}
	}
	return 0, false, errors.New("its type can't be read")
}

// npyField is the bytes of a field: a name (or title and name), a type, and the shape if it has several values.
func npyField(f any) (size uint64, objects bool, err error) {
	t, _ := f.(pyTuple)
	if len(t) != 2 && len(t) != 3 {
		return 0, false, errors.New("a field of its type can't be read")
	}
	if size, objects, err = npySize(t[1]); err != nil || len(t) == 2 {
		return size, objects, err
	}
	shape, ok := t[2].(pyTuple)
	if !ok {
		shape = pyTuple{t[2]}
	}
	size, err = times(size, shape)
	return size, objects, err
}

// times is how many bytes values of a size take in a shape.
func times(size uint64, shape pyTuple) (uint64, error) {
	for _, dim := range shape {
		d, ok := dim.(uint64)
		hi, lo := bits.Mul64(size, d)
		if !ok || hi != 0 || lo > 1<<62 {
			return 0, fmt.Errorf("its shape %v can't be", shape)
		}
		size = lo
	}
	return size, nil
}
