package enforcer

import (
	"hash/maphash"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
)

// nameTable holds something for each of the names that it was given. Names are only ever added, and looking one up takes no lock: it costs
// a hash and a comparison, however many there are.
//
// It is a hash table with open addressing. The hash has a seed of its own in every process: nobody can choose names that fall together.
type nameTable[T any] struct {
	slots atomic.Pointer[[]slot[T]] // a power of two of them, a quarter of which at least is empty
	taken [kinds]atomic.Int32
	mu    sync.Mutex // of those who add
	n     int
}

type slot[T any] = atomic.Pointer[named[T]]

type named[T any] struct {
	hash uint64
	name string
	it   T
}

// nameKind is how a policy knows a name. Each kind has room of its own, so that names made up by clients do not keep out those that matter.
type nameKind uint8

const (
	unknownName  nameKind = iota
	wildcardName          // a wildcard names it
	exactName             // the policy writes it out: there are no more of these than the operator wrote, and there is always room
	kinds
)

// maxNames is how many names of a kind there is room for: clients and portals choose names, and must not be able to grow the table.
const maxNames = 1000

// hashSeed makes hashes that nobody outside can foresee.
var hashSeed = maphash.MakeSeed()

// find returns what belongs to a name, or nil.
func (t *nameTable[T]) find(name string) *T {
	slots := t.slots.Load()
	if slots == nil {
		return nil
	}
	hash := maphash.String(hashSeed, name)
	for i := hash; ; i++ {
		n := (*slots)[i&uint64(len(*slots)-1)].Load()
		switch {
		case n == nil:
			return nil
		case n.hash == hash && n.name == name:
			return &n.it
		}
	}
}

// all goes through the names, in no order.
func (t *nameTable[T]) all() iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		slots := t.slots.Load()
		if slots == nil {
			return
		}
		for i := range *slots {
			if n := (*slots)[i].Load(); n != nil && !yield(n.name, &n.it) {
				return
			}
		}
	}
}

// add finds or adds a name, and fills what belongs to it before others see it. It returns nil where there is no room.
func (t *nameTable[T]) add(name string, kind nameKind, fill func(*T)) *T {
	if it := t.find(name); it != nil {
		return it
	}
	if t.full(kind) { // so that nobody has to wait for a lock to learn it
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if it := t.find(name); it != nil {
		return it
	}
	if t.full(kind) {
		return nil
	}
	t.taken[kind].Add(1)
	added := &named[T]{hash: maphash.String(hashSeed, name), name: strings.Clone(name)} // a part of a header would keep the value alive
	fill(&added.it)
	slots := t.slots.Load()
	if t.n++; slots == nil || t.n > len(*slots)/4*3 {
		slots = t.grown(slots)
	}
	put(*slots, added)
	t.slots.Store(slots)
	return &added.it
}

// grown returns twice the slots, with what is in those there are.
func (t *nameTable[T]) grown(old *[]slot[T]) *[]slot[T] {
	if old == nil {
		slots := make([]slot[T], 8)
		return &slots
	}
	slots := make([]slot[T], 2*len(*old))
	for i := range *old {
		if n := (*old)[i].Load(); n != nil {
			put(slots, n)
		}
	}
	return &slots
}

func put[T any](slots []slot[T], n *named[T]) {
	i := n.hash
	for slots[i&uint64(len(slots)-1)].Load() != nil {
		i++
	}
	slots[i&uint64(len(slots)-1)].Store(n)
}

// full says whether there is no room for another name of a kind.
func (t *nameTable[T]) full(kind nameKind) bool {
	return kind != exactName && t.taken[kind].Load() >= maxNames
}
