package enforcer

import (
	"strconv"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
)

// maxPersistDelay is how long a response may take if a preference is to be sent again with it. The
// visitor may have changed it meanwhile.
const maxPersistDelay = 2 * time.Second

// persist sends preferences again whose lifetime browsers cut short. The value is unchanged; the
// lifetime is what is left of max_age since the choice was made, and at most what the rule allows.
// It sends nothing where another person could get the line (a shared cache, a prefetch) or where the
// value may be stale.
//
// The request does not show the attributes of the cookie, so the line gets those that the rule asks
// for, and Secure over HTTPS. The new line is for the host only, even if the cookie was set for a
// parent domain.
func (f *responseFilter) persist(began time.Time) {
	now := f.enforcer.now()
	if now.Sub(began) > maxPersistDelay || f.visitor.isPrefetch() || f.mayBeShared() {
		return
	}
	renewals := f.enforcer.preferences.Renewals(f.enforcer.keys, f.visitor.cookies())
	if len(renewals) == 0 {
		return
	}
	present := f.presentNames()
	https := f.visitor.request.HTTPS
	for _, r := range renewals {
		require := wire.PrefixRequirements(r.Cookie)
		if present[r.Cookie] || require.Secure && !https {
			continue
		}
		line := r.Cookie + "=" + r.Value + "; Path=" + r.Path +
			"; Max-Age=" + strconv.FormatInt(int64(r.Left/time.Second), 10)
		cookie, ok := wire.ParseSetCookie(line)
		if !ok {
			continue
		}
		e := wire.NewEditor(line, &cookie)
		if https {
			e.AddSecure()
		}
		f.enforcer.lookup(r.Cookie).rule.mending.apply(e, &f.clock, https)
		f.addLines([]string{e.String()})
		if f.visitor.trace != nil {
			f.visitor.trace.renewed(r.Cookie)
		}
	}
}

// isPrefetch reports whether the browser only fetches ahead (Fetch standard, Sec-Purpose; older
// browsers send Purpose or X-Moz).
func (v *visitor) isPrefetch() bool {
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Moz"} {
		for _, value := range v.request.Header[name] {
			if strings.Contains(strings.ToLower(value), "prefetch") {
				return true
			}
		}
	}
	return false
}
