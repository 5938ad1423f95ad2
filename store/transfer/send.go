package transfer

// send puts packs on the remote and into what is known of it.
func (u *Upload) send() {
	for s := range u.sealed {
		if u.ctx.Err() != nil {
			continue
		}
		err := u.dst.PutPack(u.ctx, s.pack.Ref.Name, s.body.Bytes())
		if err == nil {
			err = u.known.LearnPack(s.pack.Ref, s.records)
		}
		if err != nil {
			u.fail(err)
			continue
		}
		u.land(s)
		s.body = nil
		close(s.arrived)
	}
}

// call tells about files, in order, once their packs have arrived.
func (u *Upload) call() {
	for s := range u.order {
		select {
		case <-s.arrived:
		case <-u.ctx.Done():
			continue
		}
		for _, f := range s.files {
			if f.sent {
				u.count(func(s *Stats) { s.Files++; s.Bytes += f.file.Size })
			}
			if f.Err == nil && f.file.Size > 0 {
				u.add(1, f.file.Size)
			}
			f.file.done(f.Placement)
		}
	}
}

func (u *Upload) inFlight(p Piece) (Piece, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	q, ok := u.flight[p.Digest]
	if !ok {
		return p, false
	}
	return q, true
}

func (u *Upload) fly(p Piece) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.flight[p.Digest] = p
}

func (u *Upload) land(s *sealed) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range s.records {
		delete(u.flight, r.Digest)
		u.stats.Raw += int64(r.Raw)
	}
	u.stats.Packs++
	u.stats.Sent += s.pack.Ref.Size
}

func (u *Upload) count(f func(*Stats)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f(&u.stats)
}
