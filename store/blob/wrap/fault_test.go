package wrap

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"tarn/store/blob"
	"tarn/store/blob/mem"
)

func TestFaultOutcomes(t *testing.T) {
	m := mem.New()
	put := func(f *Fault, body string) error {
		_, err := f.Put(ctx, "x", []byte(body), blob.Condition{})
		return err
	}
	for _, c := range []struct {
		o     Outcome
		fails bool
		holds string
	}{{OK, false, "one"}, {FailBefore, true, "one"}, {FailMidway, true, "one"}, {FailAfter, true, "four"}} {
		f := NewFault(m, at(map[int]Outcome{1: c.o}))
		if err := put(f, map[Outcome]string{OK: "one", FailBefore: "two", FailMidway: "three", FailAfter: "four"}[c.o]); (err != nil) != c.fails {
			t.Errorf("%d: %v", c.o, err)
		}
		if got, _ := content(m); got != c.holds {
			t.Errorf("%d: holds %q", c.o, got)
		}
	}
	r, _, err := NewFault(m, at(map[int]Outcome{1: FailMidway})).Get(ctx, "x", 0, -1)
	must(t, err)
	if got, err := io.ReadAll(r); string(got) != "fo" || !errors.Is(err, ErrFault) {
		t.Errorf("halfway: %q, %v", got, err)
	}
	f := NewFault(m, at(map[int]Outcome{1: FailBefore, 2: FailAfter}))
	if err := f.Delete(ctx, "x"); !errors.Is(err, ErrFault) {
		t.Error(err)
	}
	if got, _ := content(m); got != "four" {
		t.Error("a delete that fails before is applied")
	}
	if err := f.Delete(ctx, "x"); !errors.Is(err, ErrFault) {
		t.Error(err)
	}
	if got, _ := content(m); got != "" {
		t.Error("a delete that fails after is not applied")
	}
	// A request that fails by itself does so with its own error.
	if _, err := NewFault(m, at(map[int]Outcome{1: FailAfter})).Put(ctx, "x", nil, blob.Condition{Match: "1"}); !errors.Is(err, blob.ErrPrecondition) {
		t.Error(err)
	}
}

func TestViolations(t *testing.T) {
	for _, c := range []struct {
		name string
		do   string // +key=body puts, -key deletes; of the second client in capitals: P, D
		want string
	}{
		{"fine", "+pack/a=1 +pack/a=1 +pack/b=2 -pack/a -pack/a +root/a=1 +root/a=2 -root/a +root/a=3 +pin/x=1 +pin/x=2", ""},
		{"other bytes", "+pack/a=1 +pack/a=2", "pack/a is overwritten with other bytes"},
		{"other bytes by another client", "+pack/a=1 Ppack/a=2", "pack/a is overwritten with other bytes"},
		{"pack returns", "+pack/a=1 -pack/a +pack/a=1", "pack/a was deleted and is created again"},
		{"pin returns", "+pin/a/b=1 Dpin/a/b +pin/a/b=1", "pin/a/b was deleted and is created again"},
		{"delete of nothing", "-pin/a +pin/a=1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := NewFault(mem.New(), nil)
			two := one.With(func(int, string, string) Outcome { return FailAfter }) // applied all the same
			for do := range strings.FieldsSeq(c.do) {
				key, body, _ := strings.Cut(do[1:], "=")
				switch do[0] {
				case '+':
					_, err := one.Put(ctx, key, []byte(body), blob.Condition{})
					must(t, err)
				case 'P':
					_, _ = two.Put(ctx, key, []byte(body), blob.Condition{})
				case '-':
					must(t, one.Delete(ctx, key))
				case 'D':
					_ = two.Delete(ctx, key)
				}
			}
			if got := strings.Join(one.Violations(), "; "); got != c.want || strings.Join(two.Violations(), "; ") != got {
				t.Errorf("violations %q, want %q", got, c.want)
			}
		})
	}
}

// What was there before the watch began is not overwritten either.
func TestViolationOfOldObject(t *testing.T) {
	m := mem.New()
	_, err := m.Put(ctx, "pack/a", []byte("1"), blob.Condition{})
	must(t, err)
	f := NewFault(m, nil)
	_, err = f.Put(ctx, "pack/a", []byte("2"), blob.Condition{})
	must(t, err)
	if len(f.Violations()) != 1 {
		t.Errorf("violations %v", f.Violations())
	}
}

func TestRandomIsSeeded(t *testing.T) {
	seen := map[Outcome]int{}
	a, b := Random(7, 0.5), Random(7, 0.5)
	for n := range 1000 {
		o := a(n, "put", "x")
		if o != b(n, "get", "y") {
			t.Fatal("the same seed gives other faults")
		}
		seen[o]++
	}
	if len(seen) != 4 || seen[OK] < 400 || seen[OK] > 600 {
		t.Errorf("outcomes: %v", seen)
	}
}

func TestFaultConcurrent(t *testing.T) {
	f := NewFault(mem.New(), Random(1, 0.5))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b := NewRetry(f, patient)
			for range 50 {
				if _, err := b.Put(ctx, "pack/same", []byte("same"), blob.Condition{Absent: i%2 == 0}); err != nil && !errors.Is(err, blob.ErrPrecondition) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if v := f.Violations(); len(v) != 0 {
		t.Error(v)
	}
}
