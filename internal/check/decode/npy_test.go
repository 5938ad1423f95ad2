package decode

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

func npyOf(descr, shape, data string) string {
	head := "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }\n"
	return "\x93NUMPY\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(head)))) + head + data
}

// TestNpy has headers as NumPy writes them, and how many bytes have to follow; one less is too few.
func TestNpy(t *testing.T) {
	ctx := context.Background()
	var bad *Error
	for _, c := range []struct {
		descr, shape string
		size         int
	}{
		{`'<f8'`, "(3, 2)", 48}, {`'|b1'`, "()", 1}, {`'<U3'`, "(2,)", 24}, {`'<M8[25s]'`, "(2,)", 16}, {`'|V5'`, "(3L,)", 15}, {`'<f8'`, "(0, 7)", 0},
		{`[('a', '<i4'), ('b', '<f8')]`, "(100,)", 1200},
		{`[('a', '<i4', (2, 3)), ('n', [('x', '|u1'), ('y', '<U3', (2,))])]`, "(2,)", 98},
		{`[(('title', 'name'), '<i4'), ('b', '|S3')]`, "(2,)", 14},
		{`[('a', '|u1'), ('', '|V3'), ('b', '<i4')]`, "(2,)", 16},
		{`[("it's", '<i4'), ('ä\'"', u'<f8')]`, "(2,)", 24},
		{`[('a', ('<i4', (3,)))]`, "(2,)", 24},
	} {
		b := npyOf(c.descr, c.shape, strings.Repeat(".", c.size))
		for name, b := range map[string]string{"whole": b, "two": b + b} {
			if err := File(ctx, "a.npy", source([]byte(b)), ""); err != nil {
				t.Errorf("%s, %s: %v", c.descr, name, err)
			}
		}
		for name, b := range map[string]string{"cut": b[:len(b)-1], "longer": b + ".", "second cut": b + b[:len(b)-1]} {
			if err := File(ctx, "a.npy", source([]byte(b)), ""); !errors.As(err, &bad) {
				t.Errorf("%s, %s: %v", c.descr, name, err)
			}
		}
	}
	for _, c := range []struct{ descr, shape, data, want string }{
		{`'|O'`, "(2,)", "\x80\x04.", ""}, {`'|O'`, "(2,)", "\x80\x04", "end of its objects"}, {`'|O'`, "(2,)", "", "end of its objects"},
		{`[('o', '|O'), ('a', '<i4')]`, "(2,)", "\x80\x04", "end of its objects"},
		{`'float32'`, "(1,)", "1234", ErrUnsupported.Error()},
		{`'<f8'`, "(-1,)", "", "header"}, {`'<f8'`, "(1, )", "", "needs 8"}, {`'<f8'`, "1", "", "no shape"}, {`[('a', '<i4']`, "(1,)", "", "header"}, {`[('a',)]`, "(1,)", "", "field"},
		{`[('a', '<f8', (99999999999, 99999999999))]`, "(1,)", "", "can't be"}, {`'<f8'`, "(9999999999, 9999999999)", "", "can't be"},
		{`[` + strings.Repeat("('a', '<f8', (2305843009213693951,)),", 9) + `]`, "(1,)", "", "can't be"},
		{strings.Repeat("[", 1000), "(1,)", "", "header"}, {`[1]`, "(1,)", "", "field"}, {`None`, "(1,)", "", "no type"},
	} {
		err := File(ctx, "a.npy", source([]byte(npyOf(c.descr, c.shape, c.data))), "")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%.100s: %v", c.descr, err)
		}
	}
}
