package enforcer

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// noon is what the gateway's clock shows in these tests: a Thursday.
var noon = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// compiled is the enforcer of a policy without faults.
func compiled(tb testing.TB, p Policy) *Enforcer {
	tb.Helper()
	e, err := Compile(p, atNoon)
	if err != nil {
		tb.Fatalf("this policy has to compile: %v", err)
	}
	return e
}

// allowing is a policy with one rule for the given names, let through always.
func allowing(names ...string) Policy {
	return Policy{Allow: []Rule{{Category: Necessary, Cookies: names}}}
}

// visitWith begins a request that carries the given Cookie lines.
func visitWith(e *Enforcer, cookies ...string) Visit {
	return e.Visit(Request{Header: http.Header{"Cookie": cookies}})
}

// readSetCookie reads one line.
func readSetCookie(line string) (c setCookie, ok bool) {
	ok = c.read(line)
	return c, ok
}

// filterResponse gives a response header to a new visit with the given Cookie lines.
func filterResponse(e *Enforcer, cookies []string, header http.Header) {
	visit := visitWith(e, cookies...)
	visit.FilterResponse(header)
}

// keptLines returns the Set-Cookie lines that are let through for a visitor who sends the given Cookie lines.
func keptLines(e *Enforcer, cookies []string, lines ...string) []string {
	header := http.Header{"Set-Cookie": slices.Clone(lines)}
	filterResponse(e, cookies, header)
	return header["Set-Cookie"]
}

// letThrough says whether one line is let through.
func letThrough(e *Enforcer, cookies []string, line string) bool {
	return len(keptLines(e, cookies, line)) == 1
}
