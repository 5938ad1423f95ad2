package decode

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"slices"
	"unicode/utf8"
)

const safetensorsHeader = 100_000_000 // bytes, at most, as the reference implementation has it

var tensorBits = map[string]uint64{"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
	"F64": 64, "I64": 64, "U64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}

type tensor struct {
	DType   string   `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets []uint64 `json:"data_offsets"`
	name    string
}

// safetensorsFile reads the header: tensors lie side by side, without holes, and fill the file.
func safetensorsFile(_ context.Context, src Source, r io.Reader) error {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > safetensorsHeader || int64(n) > src.Size()-8 {
		return fmt.Errorf("its header would have %d bytes", n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return err
	}
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(header, &raw); err != nil || header[0] != '{' || !utf8.Valid(header) {
		return fmt.Errorf("its header is not JSON: %w", cmp.Or(err, errors.New("it is no object in UTF-8")))
	}
	var ts []tensor
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		b := raw[name]
		if name == "__metadata__" {
			if err := json.Unmarshal(b, &map[string]string{}); err != nil {
				return fmt.Errorf("__metadata__: %w", err)
			}
			continue
		}
		t := tensor{name: name}
		if err := json.Unmarshal(b, &t); err != nil {
			return fmt.Errorf("tensor %.100q: %w", name, err)
		}
		if t.DType == "" || t.Shape == nil || len(t.Offsets) != 2 {
			return fmt.Errorf("tensor %.100q: it has no type, shape or place", name)
		}
		ts = append(ts, t)
	}
	return fill(ts, uint64(src.Size())-8-n)
}

// fill looks whether tensors do that. Of one whose type is new it is not known how many bytes it should have.
func fill(ts []tensor, size uint64) error {
	slices.SortStableFunc(ts, func(a, b tensor) int { return slices.Compare(a.Offsets, b.Offsets) })
	var unknown error
	at := uint64(0)
	for _, t := range ts {
		begin, end := t.Offsets[0], t.Offsets[1]
		width, known := tensorBits[t.DType]
		for _, d := range t.Shape {
			hi, lo := bits.Mul64(width, d)
			if hi != 0 {
				return fmt.Errorf("tensor %.100q: its shape can't be", t.name)
			}
			width = lo
		}
		if begin != at || end < at || known && (width%8 != 0 || end-at != width/8) {
			return fmt.Errorf("tensor %.100q: it lies at %d to %d, which does not fit", t.name, begin, end)
		}
		if !known {
			unknown = cmp.Or(unknown, fmt.Errorf("%w: tensor %.100q has the type %.20q", ErrUnsupported, t.name, t.DType))
		}
		at = end
	}
	if at != size {
		return fmt.Errorf("its tensors have %d bytes, and the file %d", at, size)
	}
	return unknown
}
