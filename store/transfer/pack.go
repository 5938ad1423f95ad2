package transfer

import (
	"bytes"
	"crypto/rand"
	"fmt"

	"tarn/store/chunk"
	"tarn/store/digest"
	"tarn/store/pack"
	"tarn/store/remote"
)

// packer is the state of the one goroutine that fills packs.
type packer struct {
	u      *Upload
	open   *sealed
	w      *pack.Writer
	pieces []Piece // of the file being assembled
	fresh  bool    // one of them was in no pack before
	reused int64   // bytes of the others
	large  map[digest.Digest]bool
	files  []finished // that wait for the open pack, or for those before it
}

func (u *Upload) packAll() {
	p := &packer{u: u, large: map[digest.Digest]bool{}}
	for j := range u.jobs {
		if err := p.job(j); err != nil {
			u.fail(err)
		}
	}
}

func (p *packer) job(j *job) error {
	if j.flush != nil {
		if err := p.seal(); err != nil {
			return err
		}
		return p.pass(&sealed{arrived: closed, files: []finished{{file: &jobFile{done: func(Placement) { close(j.flush) }}}}})
	}
	for {
		select {
		case e, ok := <-j.out:
			if !ok {
				return nil
			}
			if err := p.blob(e); err != nil {
				return err
			}
		case <-p.u.ctx.Done(): // the reader of this job may never have got it
			return nil
		}
	}
}

func (p *packer) blob(e encoded) error {
	if e.anew {
		p.pieces, p.fresh, p.reused = nil, false, 0
	}
	if e.err == nil && e.piece.Raw > 0 {
		piece, err := p.place(e)
		if err != nil {
			return err
		}
		p.pieces = append(p.pieces, piece)
	}
	if e.last {
		p.files = append(p.files, finished{e.file, Placement{p.pieces, e.err}, p.sent(e)})
		p.pieces, p.fresh, p.reused = nil, false, 0
	}
	if p.open != nil && p.w.Size() >= packTarget || len(p.files) >= waitMost {
		return p.seal()
	}
	return nil
}

// sent says whether the file that e ends counts as sent: a second one of the same bytes does not. A large file counts even where all of its chunks
// were on the remote, as they are not there as a file.
func (p *packer) sent(e encoded) bool {
	isLarge := e.file.Size >= chunk.Threshold
	if e.err != nil || e.file.Size == 0 || !p.fresh && (!isLarge || p.large[e.file.Digest]) {
		return false
	}
	if isLarge {
		p.large[e.file.Digest] = true
	}
	p.u.count(func(s *Stats) { s.Reused += p.reused })
	return true
}

// place puts a blob into the open pack unless it is on the remote or on its way.
func (p *packer) place(e encoded) (Piece, error) {
	piece, ok := e.piece, e.stored == nil
	if !ok {
		piece, ok = p.u.inFlight(e.piece)
	}
	if ok {
		p.reused += int64(piece.Raw)
		return piece, nil
	}
	p.fresh = true
	if err := p.ensure(); err != nil {
		return Piece{}, err
	}
	rec, err := p.w.Add(piece.Digest, piece.Scheme, piece.Raw, e.stored)
	if err != nil {
		return Piece{}, fmt.Errorf("pack blob %s: %w", piece.Digest.Short(), err)
	}
	piece.Offset, piece.Pack = rec.Offset, p.open.pack
	p.u.fly(piece)
	return piece, nil
}

func (p *packer) ensure() error {
	if p.open != nil {
		return nil
	}
	var random [16]byte
	rand.Read(random[:])
	body := bytes.NewBuffer(make([]byte, 0, packTarget+chunk.Max+(1<<18)))
	w, err := pack.NewWriter(body, random)
	if err != nil {
		return err
	}
	p.open, p.w = &sealed{pack: new(Pack), body: body, arrived: make(chan struct{})}, w
	return nil
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// seal sends the open pack, if there is one, and lets the files that wait be called after it.
func (p *packer) seal() error {
	s := p.open
	p.open = nil
	if s == nil {
		s = &sealed{arrived: closed}
	} else {
		sum, err := p.w.Close()
		if err != nil {
			return fmt.Errorf("seal pack: %w", err)
		}
		s.pack.Ref, s.records = remote.PackRef{Name: sum.Name, Size: sum.Size}, sum.Records
	}
	s.files, p.files = p.files, nil
	if s.body != nil {
		select {
		case p.u.sealed <- s:
		case <-p.u.ctx.Done():
			return p.u.err()
		}
	}
	return p.pass(s)
}

func (p *packer) pass(s *sealed) error {
	select {
	case p.u.order <- s:
		return nil
	case <-p.u.ctx.Done():
		return p.u.err()
	}
}
