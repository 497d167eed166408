package enforcer

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Whoever looks up names at the same time finds for each the rule and the entry that it has, before the
// names settle and afterwards.
func TestNames(t *testing.T) {
	const count = 500
	p := policy.Policy{Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{"even_*"}}}}
	e, err := Compile(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := observe.New(time.Now())
	e.Observe(o)
	name := func(i int) string { return fmt.Sprintf("%s_%d", []string{"even", "odd"}[i%2], i) }
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for round := range 5 {
				tally := tally{enforcer: e, observer: o}
				for i := range count {
					var k knownName
					if tally.lookupSet(name(i), &k) {
						t.Errorf("%s is unreadable", name(i))
					}
					if k.name.Text != name(i) || (k.rule != nil) != (i%2 == 0) || k.entry == nil {
						t.Errorf("round %d: %s is known as %+v", round, name(i), k)
					}
					if k.entry != o.SetEntry(k.name, time.Now()) {
						t.Errorf("round %d: %s has the entry of another name", round, name(i))
					}
				}
			}
		})
	}
	all.Wait()
	if settled := e.set.settled.Load(); settled == nil || len(*settled) != count {
		t.Errorf("%d names were looked up often, and have not settled", count)
	}
}

// A name without an entry of its own is not remembered, and neither is a long one.
func TestNamesAreBounded(t *testing.T) {
	var n names
	n.add(&knownName{name: observe.Name{Text: "unlisted"}})
	if n.find("unlisted") != nil || n.all != nil {
		t.Error("a name without an entry is remembered")
	}
}
