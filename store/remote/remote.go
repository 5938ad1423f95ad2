package remote

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"tarn/store/blob"
	"tarn/store/chunk"
	"tarn/store/digest"
)

// Remote is an opened remote. Its methods may be called at once.
type Remote struct {
	b    blob.Bucket
	head head
}

// head is tarn.json.
type head struct {
	Tarn     int      `json:"tarn"`
	ID       string   `json:"id"`
	Requires []string `json:"requires"`
	Chunker  struct {
		ID string `json:"id"`
	} `json:"chunker"`
	Names string `json:"names"`
}

// The reasons why a remote can't be opened.
var (
	ErrNoRemote = errors.New("nothing was pushed there yet")     // no tarn.json
	ErrFormat   = errors.New("the remote needs a newer version") // of tarn
)

// ChunkerID is the chunker of remotes that are created here.
const ChunkerID = chunk.ID

// Open reads tarn.json. Where there is none, create makes it, else the error is ErrNoRemote.
func Open(ctx context.Context, b blob.Bucket, create bool) (*Remote, error) {
	r := &Remote{b: b}
	data, _, err := r.read(ctx, "tarn.json", 64<<10)
	if errors.Is(err, blob.ErrNotFound) {
		if !create {
			return nil, fmt.Errorf("open %s: %w", b, ErrNoRemote)
		}
		data, err = r.create(ctx)
	}
	if err != nil {
		return nil, err // it names verb, object and place
	}
	if err := r.head.parse(data); err != nil {
		return nil, fmt.Errorf("open %s: tarn.json: %w", b, err)
	}
	return r, nil
}

// create writes tarn.json; where another client was first, its file counts.
func (r *Remote) create(ctx context.Context) ([]byte, error) {
	h := head{Tarn: 1, ID: randomHex(), Requires: []string{}, Names: "plain"}
	h.Chunker.ID = ChunkerID
	data, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	_, err = r.b.Put(ctx, "tarn.json", append(data, '\n'), blob.Condition{Absent: true})
	if err != nil && !errors.Is(err, blob.ErrPrecondition) {
		return nil, err
	}
	data, _, err = r.read(ctx, "tarn.json", 64<<10)
	return data, err
}

func (h *head) parse(data []byte) error {
	if err := json.Unmarshal(data, h); err != nil {
		return fmt.Errorf("%w: %w", ErrObject, err)
	}
	switch {
	case h.Tarn != 1:
		return fmt.Errorf("%w: it has format %d", ErrFormat, h.Tarn)
	case len(h.Requires) > 0:
		return fmt.Errorf("%w: it requires %s", ErrFormat, strings.Join(h.Requires, ", "))
	case h.Names != "plain":
		return fmt.Errorf("%w: its names are %q", ErrFormat, h.Names)
	case len(h.ID) != 32 || strings.Trim(h.ID, "0123456789abcdef") != "":
		return fmt.Errorf("%w: id %q", ErrObject, h.ID)
	}
	return nil
}

// ID is the remote's own id, 32 hexadecimal digits; it follows the remote when that is moved.
func (r *Remote) ID() string { return r.head.ID }

// Chunker is the ID of the chunker that files on the remote are cut with.
func (r *Remote) Chunker() string { return r.head.Chunker.ID }

// String names the place.
func (r *Remote) String() string { return r.b.String() }

// read gets a whole object of at most limit bytes.
func (r *Remote) read(ctx context.Context, key string, limit int64) ([]byte, blob.Info, error) {
	body, info, err := r.b.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, info, err
	}
	defer body.Close()
	if info.Size > limit {
		return nil, info, fmt.Errorf("read %s: %w: %d bytes, more than %d", key, ErrObject, info.Size, limit)
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) != info.Size {
		err = fmt.Errorf("read %s: %w: %d bytes of %d", key, io.ErrUnexpectedEOF, len(data), info.Size)
	}
	return data, info, err
}

// ReadObject gets a root or page and checks it. ETag identifies what was read. Errors: blob.ErrNotFound, ErrObject.
func (r *Remote) ReadObject(ctx context.Context, kind Kind, d digest.Digest) (o *Object, etag string, err error) {
	data, info, err := r.read(ctx, Name(kind, d), MaxObject)
	if err == nil {
		o, err = Decode(data, kind, d)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read %s from %s: %w", Name(kind, d), r.b, err)
	}
	return o, info.ETag, nil
}

// WriteObject publishes o: as a new object where etag is empty, else in place of the one that has this ETag. Where another
// writer came between, the error wraps blob.ErrPrecondition and the caller looks again. Bytes equal to ours that are there already are a success.
func (r *Remote) WriteObject(ctx context.Context, o *Object, etag string) error {
	key, data := Name(o.Kind, o.Digest()), o.Encode()
	_, err := r.b.Put(ctx, key, data, blob.Condition{Absent: etag == "", Match: etag})
	if errors.Is(err, blob.ErrPrecondition) {
		// The winner may have been our own first try, whose answer was lost.
		if there, _, rerr := r.read(ctx, key, MaxObject); rerr == nil && string(there) == string(data) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("write %s to %s: %w", key, r.b, err)
	}
	return nil
}

// ETag identifies what is there now, whatever its bytes are. Error: blob.ErrNotFound.
func (r *Remote) ETag(ctx context.Context, kind Kind, d digest.Digest) (string, error) {
	info, err := r.b.Stat(ctx, Name(kind, d))
	return info.ETag, err
}

// PutPack uploads a whole pack under its name.
func (r *Remote) PutPack(ctx context.Context, name digest.Digest, body []byte) error {
	_, err := r.b.Put(ctx, PackName(name), body, blob.Condition{})
	if err != nil {
		return fmt.Errorf("put pack %s to %s: %w", name.Short(), r.b, err)
	}
	return nil
}

// GetPack reads n bytes from off of a pack.
func (r *Remote) GetPack(ctx context.Context, name digest.Digest, off, n int64) (io.ReadCloser, error) {
	body, _, err := r.b.Get(ctx, PackName(name), off, n)
	if err != nil {
		return nil, fmt.Errorf("get pack %s from %s: %w", name.Short(), r.b, err)
	}
	return body, nil
}

func randomHex() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
