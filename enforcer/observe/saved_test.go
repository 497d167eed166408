package observe_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
)

// Answers are counted by key and outcome, by any number of requests at once, and for so many keys only.
func TestObserverSaved(t *testing.T) {
	o := observe.New(noon)
	if got := o.Saved("a"); got != (observe.SavedAnswers{}) {
		t.Errorf("at first there are %v", got)
	}
	var requests sync.WaitGroup
	for range 50 {
		requests.Go(func() {
			o.CountSaved("a", true)
			o.CountSaved("a", false)
			o.CountSaved("b", true)
		})
	}
	requests.Wait()
	for i := range 10_000 {
		o.CountSaved(fmt.Sprint(i), true)
	}
	if a, b := o.Saved("a"), o.Saved("b"); a != (observe.SavedAnswers{50, 50}) || b != (observe.SavedAnswers{50, 0}) {
		t.Errorf("%v and %v", a, b)
	}
	if o.Saved("9999") != (observe.SavedAnswers{}) {
		t.Error("the memory for keys is not bounded")
	}
}
