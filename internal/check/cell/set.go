package cell

// Set is a set of texts. A small one, as an enumeration is, finds a value by one look at a table in which no two texts have the same place.
type Set struct {
	table []entry
	mul   uint64
	shift uint
	all   map[string]bool // of a large one
}

type entry struct {
	text string
	word uint64 // its first eight bytes
	used bool
}

// smallSet is how many texts a table has at most.
const smallSet = 64

// NewSet makes a set of texts.
func NewSet(texts []string) *Set {
	s := &Set{all: map[string]bool{}}
	for _, t := range texts {
		s.all[t] = true
	}
	if len(s.all) > smallSet {
		return s
	}
	for bits := uint(2); bits <= 10; bits++ {
		s.shift, s.mul = 64-bits, 0x9e3779b97f4a7c15
		for range 64 {
			if s.fill(1 << bits) {
				return s
			}
			s.mul = s.mul*6364136223846793005 + 1442695040888963407 | 1
		}
	}
	s.table = nil
	return s
}

// fill makes the table; false where two texts have one place.
func (s *Set) fill(size int) bool {
	s.table = make([]entry, size)
	for t := range s.all {
		first, at := s.place([]byte(t))
		if s.table[at].used {
			return false
		}
		s.table[at] = entry{t, first, true}
	}
	return true
}

// place is the first eight bytes of a text, and where it is in the table.
func (s *Set) place(b []byte) (first uint64, at uint64) {
	first = word(b[:min(8, len(b))])
	last := first
	if len(b) > 8 {
		last = word(b[len(b)-8:])
	}
	return first, ((first ^ last<<1 ^ uint64(len(b))) * s.mul) >> s.shift
}

// Has says that b is one of the texts.
func (s *Set) Has(b []byte) bool {
	if s.table == nil {
		return s.all[string(b)]
	}
	first, at := s.place(b)
	e := &s.table[at]
	if len(b) <= 8 {
		return e.used && e.word == first && len(e.text) == len(b)
	}
	return e.text == string(b)
}
