package enforcer

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxPersistDelay is how long a response may take if a preference is to be sent again with it. The visitor may have changed it meanwhile.
const maxPersistDelay = 2 * time.Second

// persist sends preferences again whose life browsers cut short, value unchanged, for what is left of their life since the choice was made.
// Not where somebody else could get the line: from a shared cache, or by a prefetch that nobody looks at. Not where the value may be stale.
func (v *Visit) persist(header map[string][]string) {
	now := v.enforcer.now()
	if now.Sub(v.began) > maxPersistDelay || v.isPrefetch() || v.mayBeShared(header) {
		return
	}
	set := v.namesSet(header)
	for i := range v.enforcer.preferences {
		p := &v.enforcer.preferences[i]
		if p.persist == "" || countPairs(v.cookies(), p.cookie) != 1 || set[p.cookie] {
			continue
		}
		var value string
		for name, v := range cookiePairs(v.cookies()) {
			if name == p.cookie {
				value = v
			}
		}
		c := p.newChoices(v.enforcer.keys)
		state := p.readChoices(value, &c)
		left := p.maxAge - now.Sub(c.made)
		if state != preferenceValid || c.made.IsZero() || left < time.Second || !p.counts(&c, v.enforcer.now) {
			continue
		}
		left = min(left, p.maxAge) // a visitor's clock may be ahead
		line := p.cookie + "=" + value + "; Path=" + p.persist + "; Max-Age=" + strconv.FormatInt(int64(left/time.Second), 10)
		if secure, _, _ := demandsOf(p.cookie); secure {
			line += "; Secure"
		}
		header["Set-Cookie"] = slices.Concat(header["Set-Cookie"], []string{line})
		v.carries = true
	}
}

// isPrefetch says whether the browser only fetches ahead (Fetch standard, Sec-Purpose; older browsers send Purpose or X-Moz).
func (v *Visit) isPrefetch() bool {
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Moz"} {
		for _, value := range v.request.Header[name] {
			if strings.Contains(strings.ToLower(value), "prefetch") {
				return true
			}
		}
	}
	return false
}
