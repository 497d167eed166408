package observe

import "sync"

// maxSavedKeys is how many consent keys are counted. A policy has at most 64, and a reload can bring
// others.
const maxSavedKeys = 512

// saved counts the answers that visitors stored, by consent key.
type saved struct {
	mu      sync.Mutex
	answers map[string]*SavedAnswers
}

// SavedAnswers are numbers of answers about one consent key.
type SavedAnswers struct{ Granted, Refused uint64 }

// CountSaved counts an answer that a visitor stored. Keys are those of the policy.
func (o *Observer) CountSaved(key string, granted bool) {
	o.saved.mu.Lock()
	defer o.saved.mu.Unlock()
	a := o.saved.answers[key]
	if a == nil {
		if len(o.saved.answers) == maxSavedKeys {
			return
		}
		if o.saved.answers == nil {
			o.saved.answers = map[string]*SavedAnswers{}
		}
		a = new(SavedAnswers)
		o.saved.answers[key] = a
	}
	if granted {
		a.Granted++
	} else {
		a.Refused++
	}
}

// Saved returns the answers about a consent key that visitors stored.
func (o *Observer) Saved(key string) SavedAnswers {
	o.saved.mu.Lock()
	defer o.saved.mu.Unlock()
	if a := o.saved.answers[key]; a != nil {
		return *a
	}
	return SavedAnswers{}
}
