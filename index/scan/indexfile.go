package scan

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"os"
	"sort"
	"strings"

	"tarn/index"
	"tarn/store/digest"
)

// Index is a workspace index that was read: what is known of each path of one dataset. It does not change; many goroutines may use it.
type Index struct {
	data     []byte // the whole file
	unmap    func() error
	dataset  string
	base     digest.Digest
	complete bool
	count    int
	table    []byte // where each block starts, 8 bytes each
}

// Open reads the index at path and checks all of it. Without one the error wraps fs.ErrNotExist; one that is not whole, or of a
// format that is not known, ErrCorruptIndex: it is then as good as absent, because all it holds can be found out again.
func Open(path string) (*Index, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open workspace index: %w", err)
	}
	defer f.Close()
	data, unmap, err := mapFile(f)
	if err != nil {
		return nil, fmt.Errorf("read workspace index %s: %w", path, err)
	}
	x, err := parseIndex(data)
	if err != nil {
		_ = unmap()
		return nil, fmt.Errorf("read workspace index %s: %w: %w", path, ErrCorruptIndex, err)
	}
	x.unmap = unmap
	return x, nil
}

// Close ends the use of x; no iteration may go on. Records that were read stay valid.
func (x *Index) Close() error {
	unmap := x.unmap
	x.data, x.table, x.count, x.unmap = nil, nil, 0, nil
	if unmap == nil {
		return nil
	}
	return unmap()
}

// Dataset is the path of the dataset, relative to the repository root.
func (x *Index) Dataset() string { return x.dataset }

// Base is the version last checked out or added here, and whether every entry of it was brought into the workspace.
func (x *Index) Base() (d digest.Digest, complete bool) { return x.base, x.complete }

// Len is how many records there are.
func (x *Index) Len() int { return x.count }

// parseIndex checks a file byte for byte: there is one valid form of each index.
func parseIndex(data []byte) (*Index, error) {
	if len(data) < len(indexMagic)+footerSize || string(data[:len(indexMagic)]) != indexMagic {
		return nil, fmt.Errorf("not a workspace index of format 1")
	}
	body, foot := data[:len(data)-footerSize], data[len(data)-footerSize:]
	sumAt := len(foot) - len(indexEnd) - digest.Size
	if string(foot[sumAt+digest.Size:]) != indexEnd {
		return nil, fmt.Errorf("its end is missing")
	}
	sum := make(chan digest.Digest, 1)
	go func() { sum <- digest.Sum(data[:len(body)+sumAt]) }() // as much work as the check, on another core
	x := &Index{data: data}
	err := x.parse(body, foot)
	if got := <-sum; !bytes.Equal(got[:], foot[sumAt:sumAt+digest.Size]) {
		return nil, fmt.Errorf("its checksum is wrong")
	}
	return x, err
}

func (x *Index) parse(body, foot []byte) error {
	le := binary.LittleEndian
	count, tableAt, flags := le.Uint64(foot), le.Uint64(foot[8:]), le.Uint64(foot[16+digest.Size:])
	copy(x.base[:], foot[16:])
	x.complete = flags == 1
	if flags > 1 || tableAt > uint64(len(body)) || count > uint64(len(body)) {
		return fmt.Errorf("its footer is not valid")
	}
	x.count, x.table = int(count), body[tableAt:]
	if len(x.table) != 8*x.blocks() {
		return fmt.Errorf("its table has %d bytes, not %d", len(x.table), 8*x.blocks())
	}
	start, err := x.parseHeader(body[:tableAt])
	if err != nil {
		return err
	}
	return x.checkBlocks(uint64(start), tableAt)
}

func (x *Index) parseHeader(b []byte) (size int, err error) {
	d := decoder{b: b[min(len(indexMagic), len(b)):]}
	n, ok := d.uvarint(index.MaxPath)
	name := d.take(n)
	if !ok || name == nil {
		return 0, fmt.Errorf("its header is not valid")
	}
	x.dataset = string(name)
	return len(b) - len(d.b), nil
}

func (x *Index) checkBlocks(start, end uint64) error {
	var last []byte
	var d decoder
	for i := range x.blocks() {
		from, to := x.offset(i), end
		if i+1 < x.blocks() {
			to = x.offset(i + 1)
		}
		if from != start || to < from || to > end {
			return fmt.Errorf("block %d is not where its table says", i)
		}
		d.reset(x.data[from:to])
		if err := d.checkBlock(last, x.inBlock(i)); err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		last = append(last[:0], d.path()...)
		start = to
	}
	if start != end {
		return fmt.Errorf("there are bytes that belong to no block")
	}
	return nil
}

func (x *Index) blocks() int { return (x.count + recordsABlock - 1) / recordsABlock }

// inBlock is how many records block i has.
func (x *Index) inBlock(i int) int { return min(recordsABlock, x.count-i*recordsABlock) }

func (x *Index) offset(i int) uint64 { return binary.LittleEndian.Uint64(x.table[8*i:]) }

// block is what stands from block i on.
func (x *Index) block(i int) []byte { return x.data[x.offset(i):] }

// Records yields the records in ascending order of paths: all, or, with a prefix, that of the file or link prefix and those
// below the directory prefix.
func (x *Index) Records(prefix string) iter.Seq[Record] {
	prefix = strings.TrimSuffix(prefix, "/")
	return func(yield func(Record) bool) {
		if prefix == "" {
			x.from("", yield)
			return
		}
		if r, ok := x.Lookup(prefix); ok && !yield(r) {
			return
		}
		below := prefix + "/"
		x.from(below, func(r Record) bool { return strings.HasPrefix(r.Path, below) && yield(r) })
	}
}

// Lookup finds the record of path.
func (x *Index) Lookup(path string) (found Record, ok bool) {
	d := decoder{text: make([]byte, 0, lookupBuffer)}
	i := x.blockOf(path, &d)
	if i < 0 {
		return Record{}, false
	}
	d.reset(x.block(i))
	for range x.inBlock(i) {
		_, target, err := d.next(&found)
		if err != nil || string(d.path()) > path {
			break
		}
		if string(d.path()) == path {
			found.Path, found.BaseTarget = path, string(target)
			return found, true
		}
	}
	return Record{}, false
}

// lookupBuffer is room for the paths of a block, mostly.
const lookupBuffer = 2048

// blockOf is the last block that starts at or before path; -1 if path comes before all.
func (x *Index) blockOf(path string, d *decoder) int {
	after := sort.Search(x.blocks(), func(i int) bool {
		d.reset(x.block(i))
		return d.nextPath() != nil || string(d.path()) > path
	})
	return after - 1
}

// from yields the records whose paths are not before path.
func (x *Index) from(path string, yield func(Record) bool) {
	var buf blockReader
	for i := max(x.blockOf(path, &buf.d), 0); i < x.blocks(); i++ {
		for k := range buf.read(x.block(i), x.inBlock(i)) {
			if r := &buf.records[k]; r.Path >= path && !yield(*r) {
				return
			}
		}
	}
}

// A blockReader decodes block by block, with one allocation for all paths of a block.
type blockReader struct {
	d       decoder
	records [recordsABlock]Record
	ends    [recordsABlock]int
}

// read returns how many records it has; Open made sure that these are all.
func (br *blockReader) read(block []byte, count int) int {
	br.d.reset(block)
	for k := range count {
		_, target, err := br.d.next(&br.records[k])
		if err != nil {
			count = k
			break
		}
		br.ends[k] = len(br.d.text)
		br.records[k].BaseTarget = string(target)
	}
	text, start := string(br.d.text), 0
	for k := range count {
		br.records[k].Path = text[start:br.ends[k]]
		start = br.ends[k]
	}
	return count
}
