// Package enforcer decides which cookies a published cookie policy lets through, and filters the
// headers of requests and responses by that decision.
//
// A [policy.Policy] is plain data. [Compile] checks it and makes an [Enforcer] of it, which any
// number of requests share without a lock. Each request gets a [Visit] of its own, which reads the
// visitor's stored choice when a verdict needs it:
//
//	request   Cookie      → request.go                         → Cookie
//	response  Set-Cookie  → response.go, lines.go, mending.go  → Set-Cookie
//	page      new lines   → expiry.go, persist.go              → Set-Cookie
//	form      answers     → choice.go                          → Set-Cookie
//	loading   origins     → load.go                            → Content-Security-Policy
//	caching               → caches.go                          → Cache-Control, Vary
//	verdicts              → tally.go                           → package observe
//
// Header lines are read as browsers read them (package internal/wire), never by net/http's cookie
// parser, which loses lines that browsers store. The package imports nothing of Caddy, does no I/O,
// starts no goroutine, and reads no clock but the one it is given.
//
// For the result to hold, a caller MUST pass the request through [Visit.FilterRequest] before
// anything reads its cookies, each informational (1xx) response header through [Visit.FilterResponse],
// and the final one, with late additions and trailers, through [Visit.CompleteResponse] before it is
// sent ([Visit.CompleteTrailers] is enough once it was). Where there is an observer, [Visit.End] must
// end each Visit.
//
// # Words
//
//   - policy: what one cookie_policy block says.
//   - rule: one allow line: a category, cookie names, and conditions.
//   - category: necessary, statistical, first_party or third_party.
//   - preset: ready-made rules and preferences.
//   - unlisted cookie: one that no rule names.
//   - preference: a cookie in which the visitor's choices are stored.
//   - consent key: one switch of the preference: granted, refused or undecided.
//   - choice: what all preference cookies of a request say together.
//   - question: the consent keys that a visitor grants or refuses with one answer.
//   - signal: a request header by which a browser objects.
//   - channel: where a cookie meets the gateway: set (response), read (request), expire (removal).
//   - verdict: what happens to one cookie on one channel: let through, refused, deletion, expired.
//   - deletion: a Set-Cookie line on which every browser removes the cookie.
//   - expiry: a Set-Cookie line that the gateway adds to remove a cookie.
//   - mending: changing attributes of a line that is let through, as the policy asks.
//   - lifetime: how long a browser keeps a cookie; a session cookie has none.
//   - navigation: a request for a page, as opposed to an asset.
//   - renewal: a preference that the gateway sends again.
//   - final header: the response header that follows any informational (1xx) ones.
//   - observer: counts verdicts and keeps the inventory.
//   - inventory: what is known of every cookie name that was seen, without values.
//   - lookup: finding the rule for a cookie name.
//   - site: a host name that Caddy serves with the policy.
//   - digest: a hash of what a policy says.
//   - drift: where a portal and its policy differ.
package enforcer
