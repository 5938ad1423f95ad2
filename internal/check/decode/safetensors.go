package decode

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"slices"
)

const safetensorsHeader = 100 << 20 // bytes, at most, as the reference implementation has it

var tensorBits = map[string]uint64{"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
	"F64": 64, "I64": 64, "U64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}

type tensor struct {
	DType   string    `json:"dtype"`
	Shape   []uint64  `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`
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
	if err := json.Unmarshal(header, &raw); err != nil {
		return fmt.Errorf("its header is not JSON: %w", err)
	}
	var ts []tensor
	for name, b := range raw {
		if name == "__metadata__" {
			continue
		}
		t := tensor{name: name}
		if err := json.Unmarshal(b, &t); err != nil {
			return fmt.Errorf("tensor %.100q: %w", name, err)
		}
		ts = append(ts, t)
	}
	return fill(ts, uint64(src.Size())-8-n)
}

func fill(ts []tensor, size uint64) error {
	slices.SortFunc(ts, func(a, b tensor) int {
		return cmp.Or(cmp.Compare(a.Offsets[0], b.Offsets[0]), cmp.Compare(a.Offsets[1], b.Offsets[1]))
	})
	at := uint64(0)
	for _, t := range ts {
		width, ok := tensorBits[t.DType]
		if !ok {
			return fmt.Errorf("tensor %.100q: unknown type %.20q", t.name, t.DType)
		}
		for _, d := range t.Shape {
			hi, lo := bits.Mul64(width, d)
			if hi != 0 {
				return fmt.Errorf("tensor %.100q: its shape can't be", t.name)
			}
			width = lo
		}
		if t.Offsets[0] != at || t.Offsets[1] < at || t.Offsets[1]-at != (width+7)/8 {
			return fmt.Errorf("tensor %.100q: it lies at %d to %d, which does not fit", t.name, t.Offsets[0], t.Offsets[1])
		}
		at = t.Offsets[1]
	}
	if at != size {
		return fmt.Errorf("its tensors have %d bytes, and the file %d", at, size)
	}
	return nil
}
