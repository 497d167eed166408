package policy

import (
	"slices"
	"strings"
	"testing"
)

// complete returns a policy with something in each of its fields.
func complete() Policy {
	return Policy{
		Name:    "paris",
		Presets: []Preset{{"matomo", RuleOptions{Consent: []string{"m"}}}, {Name: "piano"}},
		Allow: []Rule{
			{Category: Statistical, Cookies: []string{"a", "b"}, RuleOptions: RuleOptions{
				Consent: []string{"k"}, Domain: []string{"example.org"}, Path: []string{"/"}, Lifetime: day,
				Provider: "p", Function: []Text{{"en", "f"}}, Purpose: []Text{{"en", "x"}},
			}},
			{Category: ThirdParty, Cookies: []string{"c"}},
		},
		Preference: []Preference{{Cookies: []string{"prefs"}, Timestamp: "t", MaxAge: day}},
		Key: []Key{{Keys: []string{"k"}, Title: []Text{{"en", "t"}}, Purpose: []Text{{"en", "p"}},
			Refused: []Text{{"en", "r"}}}},
		Signal: []Signal{
			{SignalGPC, []Category{Statistical}}, {SignalDNT, []Category{ThirdParty}},
		},
		Unlisted:      UnlistedBlock,
		Mode:          ModeEnforce,
		Lifetimes:     LifetimesReport,
		RewriteDomain: []Rewrite{{"portal.example.org", "city.example"}},
		SharedCache:   SharedCacheProtect,
		Evidence:      Evidence{Interval: oneMinute, Keep: thirteenMonths},
	}
}

func TestResolveDigest(t *testing.T) {
	digest := func(change func(*Policy)) string {
		p := complete()
		change(&p)
		return resolved(t, p).Digest()
	}
	original := digest(func(*Policy) {})
	if len(original) != 64 || strings.Trim(original, "0123456789abcdef") != "" {
		t.Errorf("%q are not 64 hexadecimal digits", original)
	}
	for name, change := range map[string]func(*Policy){
		"another name":                   func(p *Policy) { p.Name = "dashboard" },
		"no name":                        func(p *Policy) { p.Name = "" },
		"the default for unlisted":       func(p *Policy) { p.Unlisted = "" },
		"the default mode":               func(p *Policy) { p.Mode = "" },
		"the default lifetimes":          func(p *Policy) { p.Lifetimes = "" },
		"the default shared_cache":       func(p *Policy) { p.SharedCache = "" },
		"the default format":             func(p *Policy) { p.Preference[0].Format = FormatJSON },
		"the default consent":            func(p *Policy) { p.Allow[1].Consent = []string{"third_party"} },
		"a preset's own option, written": func(p *Policy) { p.Presets[1].Consent = []string{"piano"} },
		"evidence":                       func(p *Policy) { p.Evidence = Evidence{Keep: day} },
		"load off":                       func(p *Policy) { p.Load.Mode = LoadOff },
		"no evidence":                    func(p *Policy) { p.Evidence = Evidence{Off: true} },
		"a signal, written twice":        func(p *Policy) { p.Signal = append(p.Signal, p.Signal[0]) },
	} {
		if got := digest(change); got != original {
			t.Errorf("%s changes the digest", name)
		}
	}
	seen := map[string]string{original: "nothing"}
	for name, change := range map[string]func(*Policy){
		"unlisted":      func(p *Policy) { p.Unlisted = UnlistedPass },
		"mode":          func(p *Policy) { p.Mode = ModeReport },
		"lifetimes":     func(p *Policy) { p.Lifetimes = LifetimesEnforce },
		"shared_cache":  func(p *Policy) { p.SharedCache = SharedCacheKeep },
		"a preset less": func(p *Policy) { p.Presets = p.Presets[:1] },
		"a preset more": func(p *Policy) {
			p.Presets = append(p.Presets, Preset{Name: "eulerian"})
		},
		"presets in another order": func(p *Policy) { slices.Reverse(p.Presets) },
		"a preset's option":        func(p *Policy) { p.Presets[0].Consent[0] = "n" },
		"a preset's provider":      func(p *Policy) { p.Presets[1].Provider = "n" },
		"a rule less":              func(p *Policy) { p.Allow = p.Allow[:1] },
		"rules in another order":   func(p *Policy) { slices.Reverse(p.Allow) },
		"a category":               func(p *Policy) { p.Allow[1].Category = FirstParty },
		"a cookie":                 func(p *Policy) { p.Allow[1].Cookies[0] = "d" },
		"a cookie's case":          func(p *Policy) { p.Allow[1].Cookies[0] = "C" },
		"a cookie less":            func(p *Policy) { p.Allow[0].Cookies = p.Allow[0].Cookies[:1] },
		"a cookie more":            func(p *Policy) { p.Allow[0].Cookies = append(p.Allow[0].Cookies, "d") },
		"consent":                  func(p *Policy) { p.Allow[0].Consent = []string{"k", "l"} },
		"anonymous":                func(p *Policy) { p.Allow[0].Anonymous = true },
		"a domain":                 func(p *Policy) { p.Allow[0].Domain[0] = "example.com" },
		"no domain":                func(p *Policy) { p.Allow[0].Domain = nil },
		"a path":                   func(p *Policy) { p.Allow[0].Path[0] = "/x" },
		"a lifetime":               func(p *Policy) { p.Allow[0].Lifetime++ },
		"a session cookie":         func(p *Policy) { p.Allow[0].Lifetime = Session },
		"max_age":                  func(p *Policy) { p.Allow[0].MaxAge = day },
		"an origin":                func(p *Policy) { p.Allow[0].Origin = []string{"https://a.example"} },
		"load":                     func(p *Policy) { p.Load.Mode = LoadReport },
		"load enforce":             func(p *Policy) { p.Load.Mode = LoadEnforce },
		"what load opens":          func(p *Policy) { p.Load = Load{Mode: LoadReport, Open: []string{OpenFont}} },
		"what load excepts":        func(p *Policy) { p.Load = Load{Mode: LoadReport, Except: []string{"/x"}} },
		"the sample of load":       func(p *Policy) { p.Load = Load{Mode: LoadReport, Sample: "2%"} },
		"secure":                   func(p *Policy) { p.Allow[0].Secure = true },
		"http_only":                func(p *Policy) { p.Allow[0].HTTPOnly = true },
		"same_site":                func(p *Policy) { p.Allow[0].SameSite = SameSiteLax },
		"a provider":               func(p *Policy) { p.Allow[0].Provider = "q" },
		"a function's text":        func(p *Policy) { p.Allow[0].Function[0].Text = "y" },
		"no function":              func(p *Policy) { p.Allow[0].Function = nil },
		"a purpose's text":         func(p *Policy) { p.Allow[0].Purpose[0].Text = "y" },
		"a purpose's language":     func(p *Policy) { p.Allow[0].Purpose[0].Language = "fr" },
		"a preference":             func(p *Policy) { p.Preference[0].Cookies[0] = "choices" },
		"no preference":            func(p *Policy) { p.Preference = nil },
		"a preference's format":    func(p *Policy) { p.Preference[0].Format = FormatPairs },
		"a preference's path":      func(p *Policy) { p.Preference[0].Path = "a" },
		"a preference's max_age":   func(p *Policy) { p.Preference[0].MaxAge++ },
		"a preference's persist":   func(p *Policy) { p.Preference[0].Persist = "/" },
		"a key less":               func(p *Policy) { p.Key = nil },
		"a key of its own":         func(p *Policy) { p.Key[0].Keys[0] = "m" },
		"a key's title":            func(p *Policy) { p.Key[0].Title[0].Text = "y" },
		"a key's purpose":          func(p *Policy) { p.Key[0].Purpose[0].Text = "y" },
		"a key's refused":          func(p *Policy) { p.Key[0].Refused[0].Text = "y" },
		"a signal less":            func(p *Policy) { p.Signal = p.Signal[:1] },
		"signals in another order": func(p *Policy) { slices.Reverse(p.Signal) },
		"a signal's categories":    func(p *Policy) { p.Signal[0].Categories[0] = FirstParty },
		"a rewrite's from":         func(p *Policy) { p.RewriteDomain[0].From = "a.example" },
		"a rewrite's to":           func(p *Policy) { p.RewriteDomain[0].To = "" },
		"no rewrite":               func(p *Policy) { p.RewriteDomain = nil },
	} {
		got := digest(change)
		if other, taken := seen[got]; taken {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[got] = name
	}
}

// Operators compare digests over versions. One that changes here belongs into the changelog.
func TestResolveDigestGolden(t *testing.T) {
	portal := withPreset("opendatasoft", RuleOptions{})
	for want, p := range map[string]Policy{
		"5a6ab0e834e363421b1c6413836215aced50bed45a92dc51c937422988f0c9a4": portal,
		"cbfe758a289f1be9b16be468bfb5953d2a561c685b963d60fa8e15b8021ada5b": complete(),
	} {
		if got := resolved(t, p).Digest(); got != want {
			t.Errorf("the digest of the policy %q with %d rules is %s, want %s",
				p.Name, len(p.Allow), got, want)
		}
	}
}

func TestResolveName(t *testing.T) {
	p := complete()
	if got := resolved(t, p).Name(); got != "paris" {
		t.Errorf("the name is %q", got)
	}
	p.Name = ""
	if r := resolved(t, p); r.Name() != r.Digest()[:8] {
		t.Errorf("the name is %q, the digest %q", r.Name(), r.Digest())
	}
}
