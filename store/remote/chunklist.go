package remote

import (
	"encoding/binary"
	"fmt"

	"tarn/store/digest"
	"tarn/store/pack"
)

const chunkSize = digest.Size + 4

// ChunkSubject is the subject of an object of KindChunks: which chunks, in order, without their places, so that it depends on the file alone.
func ChunkSubject(cs []Chunk) []byte {
	b := make([]byte, 0, chunkSize*len(cs))
	for _, c := range cs {
		b = binary.LittleEndian.AppendUint32(append(b, c.Digest[:]...), c.Raw)
	}
	return b
}

// ChunkList joins the subject and the locations of an object of KindChunks.
func (o *Object) ChunkList() ([]Chunk, error) {
	n := len(o.Subject) / chunkSize
	if o.Kind != KindChunks || len(o.Subject)%chunkSize != 0 || n == 0 || n > MaxChunkPage || n != len(o.Locs) {
		return nil, fmt.Errorf("%w: page of chunks: %d bytes with %d locations", ErrObject, len(o.Subject), len(o.Locs))
	}
	cs := make([]Chunk, n)
	for i := range cs {
		b := o.Subject[i*chunkSize:]
		cs[i] = Chunk{digest.Digest(b[:digest.Size]), binary.LittleEndian.Uint32(b[digest.Size:]), o.Locs[i]}
		if cs[i].Raw == 0 || cs[i].Raw > pack.MaxRaw {
			return nil, fmt.Errorf("%w: page of chunks: chunk of %d bytes", ErrObject, cs[i].Raw)
		}
	}
	return cs, nil
}
