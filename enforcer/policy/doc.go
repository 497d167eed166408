// Package policy declares what one cookie_policy block says: rules, presets, preferences,
// signals, and the texts for people, as plain data.
//
// [Policy.Resolve] checks a policy and writes its presets and defaults out; it returns all [Faults]
// of the policy at once. The package does not know how cookies are filtered: that is in package
// enforcer. It imports nothing of Caddy.
package policy
