package wrap

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"tarn/store/blob"
	"tarn/store/blob/mem"
)

func TestRetryPauses(t *testing.T) {
	var pauses []time.Duration
	var heard []int
	b := NewRetry(NewFault(mem.New(), func(int, string, string) Outcome { return FailBefore }), RetryOptions{
		Attempts: 8, First: 100 * time.Millisecond, Max: time.Second,
		Sleep:   func(_ context.Context, d time.Duration) error { pauses = append(pauses, d); return nil },
		OnRetry: func(_, _ string, attempt int, _ error) { heard = append(heard, attempt) },
	})
	_, err := b.Stat(ctx, "x")
	if !errors.Is(err, ErrFault) || len(pauses) != 7 || len(heard) != 7 || heard[6] != 7 {
		t.Fatalf("%v after pauses %v, heard %v", err, pauses, heard)
	}
	distinct := map[time.Duration]bool{}
	for i, p := range pauses {
		if bound := min(time.Second, 100*time.Millisecond<<i); p < 0 || p > bound {
			t.Errorf("pause %d is %v, more than %v", i, p, bound)
		}
		distinct[p] = true
	}
	if len(distinct) < 3 {
		t.Errorf("pauses are not random: %v", pauses)
	}
}

// count counts requests and answers each with err.
type count struct {
	blob.Bucket
	n   int
	err error
}

func (c *count) Stat(context.Context, string) (blob.Info, error) {
	c.n++
	return blob.Info{}, c.err
}

func TestNoRetryOfWhatIsPermanent(t *testing.T) {
	for _, err := range []error{blob.ErrNotFound, blob.ErrPrecondition, blob.ErrAccess, blob.ErrReadOnly, blob.ErrUnsupported, blob.ErrNoSpace, context.Canceled} {
		c := &count{Bucket: mem.New(), err: err}
		if _, got := NewRetry(c, patient).Stat(ctx, "x"); !errors.Is(got, err) || c.n != 1 {
			t.Errorf("%v: %d requests, %v", err, c.n, got)
		}
	}
	c := &count{Bucket: mem.New(), err: context.DeadlineExceeded} // of one request, not of the caller
	if _, got := NewRetry(c, patient).Stat(ctx, "x"); got == nil || c.n != patient.Attempts {
		t.Errorf("slow request: %d requests, %v", c.n, got)
	}
}

func TestRetryEndsWithContext(t *testing.T) {
	c := &count{Bucket: mem.New(), err: ErrFault}
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := NewRetry(c, RetryOptions{Attempts: 1000, First: time.Hour, Max: time.Hour}).Stat(short, "x")
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrFault) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestPutThatWasApplied(t *testing.T) {
	ours, theirs := []byte("ours"), []byte("them")
	for _, c := range []struct {
		name  string
		match bool
		plan  map[int]Outcome
		race  func(m *mem.Bucket) // what another client does after our first attempt
		want  error
		holds string
	}{
		{"applied, absent", false, map[int]Outcome{1: FailAfter}, nil, nil, "ours"},
		{"applied, match", true, map[int]Outcome{1: FailAfter}, nil, nil, "ours"},
		{"applied twice over", false, map[int]Outcome{1: FailAfter, 2: FailBefore, 3: FailBefore}, nil, nil, "ours"},
		{"applied, read back fails at first", false, map[int]Outcome{1: FailAfter, 3: FailBefore, 4: FailMidway}, nil, nil, "ours"},
		{"not applied, absent", false, map[int]Outcome{1: FailBefore}, nil, nil, "ours"},
		{"not applied, another won", false, map[int]Outcome{1: FailBefore}, func(m *mem.Bucket) { _, _ = m.Put(ctx, "x", theirs, blob.Condition{}) }, blob.ErrPrecondition, "them"},
		{"applied, then replaced", false, map[int]Outcome{1: FailAfter}, func(m *mem.Bucket) { _, _ = m.Put(ctx, "x", []byte("longer"), blob.Condition{}) }, blob.ErrPrecondition, "longer"},
		{"match, then deleted", true, map[int]Outcome{1: FailAfter}, func(m *mem.Bucket) { _ = m.Delete(ctx, "x") }, blob.ErrPrecondition, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mem.New()
			cond := blob.Condition{Absent: true}
			if c.match {
				info, err := m.Put(ctx, "x", []byte("old"), blob.Condition{})
				must(t, err)
				cond = blob.Condition{Match: info.ETag}
			}
			o := patient
			o.OnRetry = func(_, _ string, attempt int, _ error) {
				if attempt == 1 && c.race != nil {
					c.race(m)
					c.race = nil
				}
			}
			info, err := NewRetry(NewFault(m, at(c.plan)), o).Put(ctx, "x", ours, cond)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if got, stat := content(m); got != c.holds || err == nil && info.ETag != stat.ETag {
				t.Errorf("holds %q; put says %+v, stat %+v", got, info, stat)
			}
		})
	}
	// A condition that fails at the first attempt is not ours, also with the same bytes.
	m := mem.New()
	_, err := m.Put(ctx, "x", ours, blob.Condition{})
	must(t, err)
	if _, err := NewRetry(m, patient).Put(ctx, "x", ours, blob.Condition{Absent: true}); !errors.Is(err, blob.ErrPrecondition) {
		t.Errorf("same bytes of another: %v", err)
	}
}

func content(b blob.Bucket) (string, blob.Info) {
	r, info, err := b.Get(ctx, "x", 0, -1)
	if err != nil {
		return "", info
	}
	defer r.Close()
	body, _ := io.ReadAll(r)
	return string(body), info
}

func TestReadBackThatFailsIsNoPrecondition(t *testing.T) {
	plan := func(n int, verb, _ string) Outcome {
		if n == 1 {
			return FailAfter
		}
		if verb == "get" {
			return FailBefore
		}
		return OK
	}
	_, err := NewRetry(NewFault(mem.New(), plan), patient).Put(ctx, "x", []byte("x"), blob.Condition{Absent: true})
	if !errors.Is(err, ErrFault) || errors.Is(err, blob.ErrPrecondition) {
		t.Errorf("%v", err)
	}
}

// Whatever breaks, wherever: the bytes of the range come out whole.
func TestResume(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		body := make([]byte, rapid.IntRange(0, 200).Draw(rt, "size"))
		for i := range body {
			body[i] = byte(i)
		}
		m := mem.New()
		_, err := m.Put(ctx, "x", body, blob.Condition{})
		must(t, err)
		off := rapid.Int64Range(0, 210).Draw(rt, "off")
		n := rapid.Int64Range(-1, 210).Draw(rt, "n")
		want := body[min(off, int64(len(body))):]
		if n >= 0 {
			want = want[:min(n, int64(len(want)))]
		}
		b := NewRetry(&breaking{m, rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))}, patient)
		r, info, err := b.Get(ctx, "x", off, n)
		if err != nil || info.Size != int64(len(body)) {
			rt.Fatalf("%+v, %v", info, err)
		}
		defer r.Close()
		got, err := io.ReadAll(iotest.OneByteReader(r))
		if err != nil || string(got) != string(want) {
			rt.Fatalf("got %v, want %v, %v", got, want, err)
		}
	})
}

// breaking hands out readers that fail, or end as if all were well, at some byte.
type breaking struct {
	blob.Bucket
	rand *rand.Rand
}

func (b *breaking) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, blob.Info, error) {
	r, info, err := b.Bucket.Get(ctx, key, off, n)
	if err != nil {
		return nil, info, err
	}
	left := b.rand.Int64N(20)
	switch b.rand.IntN(4) {
	case 0:
		return nil, info, ErrFault
	case 1:
		return &halfReader{r, left}, info, nil
	case 2:
		return io.NopCloser(io.LimitReader(r, left)), info, nil
	}
	return io.NopCloser(iotest.DataErrReader(r)), info, nil
}

func TestResumeSeesReplacement(t *testing.T) {
	m := mem.New()
	_, err := m.Put(ctx, "x", []byte(strings.Repeat("a", 100)), blob.Condition{})
	must(t, err)
	b := NewRetry(NewFault(m, at(map[int]Outcome{1: FailMidway})), patient)
	r, _, err := b.Get(ctx, "x", 0, -1)
	must(t, err)
	defer r.Close()
	_, err = m.Put(ctx, "x", []byte(strings.Repeat("b", 100)), blob.Condition{})
	must(t, err)
	got, err := io.ReadAll(r)
	if !errors.Is(err, blob.ErrPrecondition) || strings.Contains(string(got), "b") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestResumeGivesUp(t *testing.T) {
	m := mem.New()
	_, err := m.Put(ctx, "x", []byte("abc"), blob.Condition{})
	must(t, err)
	fault := NewFault(m, func(n int, _, _ string) Outcome {
		if n == 1 {
			return FailMidway
		}
		return FailBefore
	})
	r, _, err := NewRetry(fault, patient).Get(ctx, "x", 0, -1)
	must(t, err)
	defer r.Close()
	if got, err := io.ReadAll(r); !errors.Is(err, ErrFault) || string(got) != "a" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestListResumes(t *testing.T) {
	m := mem.New()
	want := ""
	for _, key := range strings.Split("abcdefghij", "") {
		_, err := m.Put(ctx, key, nil, blob.Condition{})
		must(t, err)
		want += key
	}
	got := ""
	for info, err := range NewRetry(NewFault(m, at(map[int]Outcome{1: FailBefore, 2: FailMidway, 3: FailMidway})), patient).List(ctx, "", "") {
		must(t, err)
		got += info.Key
	}
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var last error
	for _, last = range NewRetry(NewFault(m, func(int, string, string) Outcome { return FailBefore }), patient).List(ctx, "", "") {
	}
	if !errors.Is(last, ErrFault) {
		t.Errorf("a list that never works: %v", last)
	}
}
