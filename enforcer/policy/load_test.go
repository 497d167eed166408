package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// loading returns a policy with rules that let pages load from origins.
func loading(l Load, rules ...Rule) Policy {
	return Policy{Presets: []Preset{{Name: "opendatasoft"}}, Allow: rules, Load: l}
}

func from(category Category, consent string, origins ...string) Rule {
	return Rule{Category: category, RuleOptions: RuleOptions{Consent: strings.Fields(consent), Origin: origins}}
}

func TestLoadFaults(t *testing.T) {
	enforce := Load{Mode: LoadEnforce}
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprintf("https://host%d.example.org", i))
	}
	passing := loading(enforce)
	passing.Unlisted = UnlistedPass
	reporting := passing
	reporting.Load.Mode = LoadReport
	presets := loading(enforce)
	presets.Presets = append(presets.Presets, Preset{Name: "at_internet"}, Preset{Name: "piano"})
	covered := loading(enforce, from(Necessary, "", "https://logs.xiti.com"))
	covered.Presets = append(covered.Presets, Preset{Name: "at_internet"})
	testFaults(t, []faultCase{
		{"every word", loading(Load{LoadEnforce, OpenKinds, []string{"/backoffice/*"}, "0.5%"}), nil},
		{"none in enforce", loading(Load{Mode: LoadEnforce, Sample: "0%"}), nil},
		{"an unknown mode", loading(Load{Mode: "block"}), []string{"load.mode block"}},
		{"off, and how", loading(Load{Mode: LoadOff, Open: []string{OpenImage}}), []string{"load.mode off"}},
		{"an unknown kind, and one twice", loading(Load{LoadReport, []string{"images", "font", "font"}, nil, ""}),
			[]string{"load.open[0] images", "load.open[2] font"}},
		{"a path", loading(Load{LoadReport, nil, []string{"backoffice"}, ""}), []string{"load.except[0] backoffice"}},
		{"no percentage", loading(Load{LoadReport, nil, nil, "1"}), []string{"load.sample 1"}},
		{"too much", loading(Load{LoadReport, nil, nil, "101%"}), []string{"load.sample 101%"}},
		{"no number", loading(Load{LoadReport, nil, nil, "NaN%"}), []string{"load.sample NaN%"}},
		{"an exponent", loading(Load{LoadReport, nil, nil, "1e1%"}), []string{"load.sample 1e1%"}},
		{"none in report", loading(Load{LoadReport, nil, nil, "0%"}), []string{"load.sample 0%"}},
		{"unlisted pass", passing, []string{"load.mode enforce"}},
		{"unlisted pass, in report", reporting, nil},
		{"one origin under one condition", loading(enforce,
			from(Statistical, "a b", "https://x.example.org"), from(Statistical, "b a", "https://x.example.org")), nil},
		{"one origin under two conditions", loading(enforce,
			from(Statistical, "a", "https://x.example.org"), from(Statistical, "b", "https://x.example.org")),
			[]string{"allow[1].origin[0] https://x.example.org"}},
		{"a wildcard under another condition", loading(enforce,
			from(Necessary, "", "https://*.example.org"), from(Statistical, "b", "https://x.example.org")),
			[]string{"allow[1].origin[0] https://x.example.org"}},
		{"two conditions, in report", loading(Load{Mode: LoadReport},
			from(Statistical, "a", "https://x.example.org"), from(Statistical, "b", "https://x.example.org")), nil},
		{"presets that share an origin", presets, nil},
		{"a preset's wildcard", covered, []string{"allow[0].origin[0] https://logs.xiti.com"}},
		{"too much for a header", loading(enforce, from(Necessary, "", many...)), []string{"load.mode enforce"}},
		{"neither name nor origin", loading(Load{}, Rule{Category: Necessary}), []string{"allow[0].cookies "}},
	})
}

func TestLoadMode(t *testing.T) {
	for _, c := range []struct{ load, mode, want string }{
		{"", "", LoadOff}, {LoadOff, "", LoadOff}, {LoadReport, "", LoadReport}, {LoadEnforce, "", LoadEnforce},
		{LoadReport, ModeReport, LoadReport}, {LoadEnforce, ModeReport, LoadReport}, {LoadOff, ModeReport, LoadOff},
	} {
		p := loading(Load{Mode: c.load})
		p.Mode = c.mode
		if got := resolved(t, p).LoadMode(); got != c.want {
			t.Errorf("load %q in mode %q is %s, want %s", c.load, c.mode, got, c.want)
		}
	}
	l := resolved(t, loading(Load{LoadReport, []string{OpenImage}, []string{"/admin/*", "/x"}, ""})).Policy().Load
	if l.Share() != 0.01 || !l.IsOpen("img-src") || l.IsOpen("font-src") || l.IsOpen("") {
		t.Errorf("%+v has the share %v", l, l.Share())
	}
	excepts := l.Excepts()
	for path, want := range map[string]bool{
		"/admin/": true, "/admin/users/": true, "/x": true, "/x/": false, "/admin": false, "/Admin/": false, "": false,
	} {
		if excepts(path) != want {
			t.Errorf("the page %q is excepted: %t", path, !want)
		}
	}
}

func TestSources(t *testing.T) {
	const own = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: mediastream: filesystem:"
	for _, c := range []struct {
		origins, open []string
		want          string
	}{
		{nil, nil, own},
		{[]string{"https://a.example", "https://*.b.example:8443"}, nil,
			own + " https://a.example wss://a.example https://*.b.example:8443 wss://*.b.example:8443"},
		{nil, []string{OpenStyle, OpenImage}, own + "; img-src * 'unsafe-inline' data: blob: mediastream: filesystem:" +
			"; style-src * 'unsafe-inline' data: blob: mediastream: filesystem:"},
	} {
		if got := Sources(c.origins, c.open); got != c.want {
			t.Errorf("%q, %q: %s", c.origins, c.open, got)
		}
	}
}

// What is said about third parties is told to be doubtful only where load is on.
func TestLoadWarnings(t *testing.T) {
	for _, c := range []struct {
		name string
		load string
		own  []string
		want []string
	}{
		{"off", "", nil, nil},
		{"on", LoadReport, nil, []string{"matomo", "https://tag.aticdn.net", "piano", "https://*.xiti.com"}},
		{"on, with own origins", LoadReport, []string{"https://stats.city.example"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := loading(Load{Mode: c.load})
			for _, name := range []string{"matomo", "at_internet", "piano"} {
				p.Presets = append(p.Presets, Preset{Name: name, RuleOptions: RuleOptions{Origin: c.own}})
			}
			var got []string
			for _, w := range p.Warnings() {
				got = append(got, w.Word)
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				t.Errorf("the warnings are about %q, want %q", got, c.want)
			}
		})
	}
}
