package policy

import (
	"slices"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

func TestPresetsPublished(t *testing.T) {
	for _, want := range []struct {
		name      string
		category  Category
		cookies   []string
		lifetimes map[string]Duration
		keys      []string
		prefers   []string
	}{
		{
			name: "opendatasoft", category: Necessary,
			cookies: []string{"sessionid", "csrftoken", "cookies_preferences", "django_language"},
			lifetimes: map[string]Duration{
				"sessionid": 14 * day, "csrftoken": 365 * day, "cookies_preferences": 183 * day,
				"django_language": 365 * day,
			},
			prefers: []string{"cookies_preferences"},
		},
		{name: "matomo", category: Statistical, keys: []string{"matomo"},
			cookies: []string{
				"_pk_id*", "_pk_ses*", "_pk_ref*", "_pk_cvar*", "_pk_hsr*", "_pk_uid*", "_pk_testcookie*",
				"mtm_consent*", "matomo_ignore", "matomo_sessid", "piwik_ignore",
			},
			lifetimes: map[string]Duration{
				"_pk_id*": thirteenMonths, "_pk_ref*": sixMonths, "_pk_ses*": halfHour, "_pk_cvar*": halfHour,
				"_pk_hsr*": halfHour, "_pk_uid*": thirteenMonths, "mtm_consent*": thirtyYears,
				"matomo_ignore": thirtyYears, "piwik_ignore": thirtyYears,
			}},
		{name: "google_analytics", category: Statistical, keys: []string{"ga"},
			cookies: []string{"_ga", "_ga_*", "_gid", "_gat*"},
			lifetimes: map[string]Duration{
				"_ga": 730 * day, "_ga_*": 730 * day, "_gid": day, "_gat*": oneMinute,
			}},
		{name: "at_internet", category: Statistical, keys: []string{"at", "xiti"},
			cookies: []string{"atidvisitor", "atreman", "atredir", "atsession", "atuserid", "atid"},
			lifetimes: map[string]Duration{
				"atidvisitor": sixMonths, "atreman": 30 * day, "atredir": halfMinute, "atsession": halfHour,
				"atuserid": thirteenMonths,
			}},
		{name: "piano", category: Statistical, keys: []string{"piano"},
			cookies: []string{"_pcid", "_pctx", "pa_user", "pa_privacy", "pa_vid"},
			lifetimes: map[string]Duration{
				"_pcid": thirteenMonths, "_pctx": thirteenMonths, "pa_user": thirteenMonths,
				"pa_privacy": thirteenMonths, "pa_vid": thirteenMonths,
			}},
		{name: "eulerian", category: Statistical, keys: []string{"eulerian"},
			cookies: []string{"etuix"}, lifetimes: map[string]Duration{"etuix": thirteenMonths}},
		{name: "load_balancing", category: Necessary,
			cookies: []string{
				"AWSALB*", "BIGipServer*", "TS01*", "SERVERID", "ROUTEID", "lb", "__cf_bm",
			},
			lifetimes: map[string]Duration{
				"AWSALB*": 7 * day, "BIGipServer*": Session, "SERVERID": Session, "ROUTEID": Session,
				"lb": Session, "__cf_bm": halfHour,
			}},
	} {
		t.Run(want.name, func(t *testing.T) {
			if !slices.Contains(Presets(), want.name) {
				t.Fatal("there is no such preset")
			}
			p, _ := presetNamed(want.name)
			var cookies, prefers []string
			for _, r := range p.rules {
				if r.Category != want.category || !slices.Equal(r.Consent, want.keys) || r.Anonymous {
					t.Errorf("%q are %s, of the keys %q, anonymous %t",
						r.Cookies, r.Category, r.Consent, r.Anonymous)
				}
				for _, name := range r.Cookies {
					if lifetime := want.lifetimes[name]; r.Lifetime != lifetime {
						t.Errorf("%s lives %s, want %s", name, r.Lifetime, lifetime)
					}
				}
				cookies = append(cookies, r.Cookies...)
			}
			for _, preference := range p.preference {
				if format := preference.withDefaults().Format; format != FormatJSON {
					t.Errorf("%q are read as %s", preference.Cookies, format)
				}
				prefers = append(prefers, preference.Cookies...)
			}
			slices.Sort(cookies)
			slices.Sort(want.cookies)
			if !slices.Equal(cookies, want.cookies) || !slices.Equal(prefers, want.prefers) {
				t.Errorf("the cookies are %q, those of preferences %q", cookies, prefers)
			}
		})
	}
}

// The cookies that each consent tool cannot do without, in the order of the presets.
func TestPresetsConsentTools(t *testing.T) {
	tools := []struct {
		name    string
		cookies []string
	}{
		{"govuk", []string{"cookies_policy", "cookies_preferences_set"}},
		{"onetrust", []string{
			"OptanonConsent", "OptanonAlertBoxClosed", "eupubconsent-v2", "OTAdditionalConsentString",
			"OTGPPConsent",
		}},
		{"cookiebot", []string{"CookieConsent"}},
		{"tarteaucitron", []string{"tarteaucitron"}},
		{"klaro", []string{"klaro"}},
		{"orejime", []string{"eu-consent"}},
		{"cookieconsent", []string{"cc_cookie"}},
		{"axeptio", []string{"axeptio_cookies", "axeptio_authorized_vendors", "axeptio_all_vendors"}},
		{"didomi", []string{"didomi_token", "didomi_dcs", "euconsent-v2"}},
		{"cookieyes", []string{"cookieyes-consent"}},
		{"complianz", []string{
			"cmplz_functional", "cmplz_preferences", "cmplz_statistics", "cmplz_marketing",
			"cmplz_consented_services", "cmplz_saved_categories", "cmplz_saved_services",
			"cmplz_banner-status", "cmplz_policy_id", "cmplz_id",
		}},
		{"django_cookie_consent", []string{"cookie_consent"}},
		{"aspnet", []string{".AspNet.Consent"}},
	}
	if len(tools) != len(consentTools) {
		t.Fatalf("%d tools are tested of %d", len(tools), len(consentTools))
	}
	for i, tool := range consentTools {
		if tools[i].name != tool.name {
			t.Fatalf("%s is not tested in its place", tool.name)
		}
		var cookies []string
		for _, r := range tool.rules {
			cookies = append(cookies, r.Cookies...)
			if r.Category != Necessary || r.Provider == "" {
				t.Errorf("%s: %q are %s, of %q", tool.name, r.Cookies, r.Category, r.Provider)
			}
		}
		if !slices.Equal(cookies, tools[i].cookies) {
			t.Errorf("%s lets %q through, want %q", tool.name, cookies, tools[i].cookies)
		}
		if len(tool.preference) == 0 {
			t.Errorf("%s reads no preference", tool.name)
		}
		for _, p := range tool.preference {
			if p.MaxAge != 0 || p.Persist != "" {
				t.Errorf("%s: the operator decides how long a choice counts", tool.name)
			}
		}
	}
}

// Each rule of a preset says who sets its cookies, where and why, and each consent key of a tracker is
// described, in all languages. No text in the package languages is left over.
func TestPresetsTexts(t *testing.T) {
	var tags []string
	for _, l := range languages.All() {
		tags = append(tags, l.Tag)
	}
	complete := func(what string, texts []Text) {
		t.Helper()
		var got []string
		for _, text := range texts {
			got = append(got, text.Language)
			if text.Text == "" {
				t.Errorf("%s: there is no text in %s", what, text.Language)
			}
		}
		if !slices.Equal(got, tags) {
			t.Errorf("%s: the languages are %q, want %q", what, got, tags)
		}
	}
	english := map[string]bool{}
	for _, p := range presets {
		var described []string
		for _, k := range p.keys {
			described = append(described, k.Keys...)
			complete(p.name+" title", k.Title)
			complete(p.name+" purpose", k.Purpose)
			complete(p.name+" refused", k.Refused)
			english[k.Title[0].Text], english[k.Refused[0].Text] = true, true
		}
		for _, r := range p.rules {
			what := p.name + " " + r.Cookies[0]
			complete(what+" function", r.Function)
			complete(what+" purpose", r.Purpose)
			english[r.Function[0].Text], english[r.Purpose[0].Text] = true, true
			if r.Provider == "" {
				t.Errorf("%s: nobody sets it", what)
			}
			for _, key := range r.Consent {
				if !slices.Contains(described, key) {
					t.Errorf("%s: its key %s is not described", what, key)
				}
			}
		}
	}
	l, _ := languages.ByTag("en")
	for id, use := range l.Presets() {
		if !english[use.Function] || !english[use.Purpose] {
			t.Errorf("no preset has the texts of %s", id)
		}
	}
	for id, key := range l.Keys() {
		if !english[key.Title] || !english[key.Refused] {
			t.Errorf("no preset has the key %s", id)
		}
	}
}

// The two keys of AT Internet are one switch: one that is granted lets the cookies through.
func TestPresetsKeys(t *testing.T) {
	p := Policy{Presets: []Preset{{Name: "at_internet"}, {Name: "matomo"}, {Name: "complianz"},
		{Name: "cookiebot"}}, Allow: []Rule{{Category: Statistical, Cookies: []string{"x"},
		RuleOptions: RuleOptions{Consent: []string{"statistics"}}}}}
	r, err := p.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for _, k := range r.Policy().Key {
		got = append(got, k.Keys)
	}
	want := [][]string{{"at", "xiti"}, {"matomo"}, {"statistics"}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("the switches are %q, want %q", got, want)
	}
}

func TestPresetsFaults(t *testing.T) {
	if len(Presets()) != len(presets) || len(presets) == 0 {
		t.Fatalf("the presets are %q", Presets())
	}
	var all Policy
	for _, name := range Presets() {
		all.Presets = append(all.Presets, Preset{Name: name})
		known, ok := presetNamed(name)
		if !ok || known.name != name {
			t.Fatalf("%s is not found", name)
		}
		if got := faultsOf(t, withPreset(name, RuleOptions{})); got != nil {
			t.Errorf("the faults of %s are %q", name, got)
		}
		spelled := Policy{Allow: known.rules, Preference: known.preference}
		if got := faultsOf(t, spelled); got != nil {
			t.Errorf("the faults of %s, spelled out, are %q", name, got)
		}
	}
	if got := faultsOf(t, all); got != nil {
		t.Errorf("the faults of all together are %q", got)
	}
}

// The names that Presets returns are the caller's own.
func TestPresetsShared(t *testing.T) {
	Presets()[0] = "other"
	if got := Presets()[0]; got != presets[0].name {
		t.Errorf("the first preset became %q", got)
	}
}
