package enforcer

import "slices"

// keySet is a set of consent keys, by their numbers in the policy. The first 64 need no memory of their own.
type keySet struct {
	first uint64
	more  *[]uint64 // the pointer keeps small what every request has several of
}

// newKeySet returns an empty set with room for n keys.
func newKeySet(n int) keySet {
	if n <= 64 {
		return keySet{}
	}
	more := make([]uint64, (n-1)/64)
	return keySet{more: &more}
}

// word returns the word that holds key k, or nil where the set has no room for it.
func (s *keySet) word(k int) *uint64 {
	if k < 64 {
		return &s.first
	}
	if i := k/64 - 1; i < len(s.rest()) {
		return &s.rest()[i]
	}
	return nil
}

// rest are the words behind the first.
func (s *keySet) rest() []uint64 {
	if s.more == nil {
		return nil
	}
	return *s.more
}

func (s *keySet) has(k int) bool {
	w := s.word(k)
	return w != nil && *w&(1<<(k%64)) != 0
}

func (s *keySet) add(k int) { *s.word(k) |= 1 << (k % 64) }

// addAll, keepOnly and removeAll change s by a set with the same room.

func (s *keySet) addAll(t keySet) {
	s.first |= t.first
	for i, word := range t.rest() {
		s.rest()[i] |= word
	}
}

func (s *keySet) keepOnly(t keySet) {
	s.first &= t.first
	for i := range s.rest() {
		s.rest()[i] &= t.rest()[i]
	}
}

func (s *keySet) removeAll(t keySet) {
	s.first &^= t.first
	for i, word := range t.rest() {
		s.rest()[i] &^= word
	}
}

// clone returns a set that can be changed without changing s.
func (s *keySet) clone() keySet {
	if s.more == nil {
		return *s
	}
	more := slices.Clone(*s.more)
	return keySet{s.first, &more}
}
