package enforcer

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// filterRequest returns the Cookie lines that the portal gets of those that a visitor sent.
func filterRequest(e *Enforcer, cookies ...string) []string {
	header := http.Header{"Cookie": slices.Clone(cookies)}
	visit := e.Visit(Request{Header: header})
	visit.FilterRequest()
	return header["Cookie"]
}

// What the portal reads is what it may set: by name, and byte for byte.
func TestWhatThePortalReads(t *testing.T) {
	policy := tracking(RuleOptions{Consent: []string{"stats"}}, "_ga", "_pk_*")
	policy.Allow = append(policy.Allow, Rule{Category: Statistical, Cookies: []string{"counter"}, RuleOptions: RuleOptions{Consent: []string{"counts"}, Anonymous: true}})
	e := compiled(t, policy)
	policy.Unlisted = UnlistedPass
	passing := compiled(t, policy)
	for _, c := range []struct {
		what   string
		cookie []string
		want   []string
		pass   []string // where unlisted cookies pass; nil for the same
	}{
		{"none", nil, nil, nil},
		{"necessary ones alone", []string{"sessionid=1; prefs=x"}, []string{"sessionid=1; prefs=x"}, nil},
		{"the first is refused", []string{"_ga=1; sessionid=2"}, []string{"sessionid=2"}, nil},
		{"one between is refused", []string{"prefs=x; _ga=1; sessionid=2"}, []string{"prefs=x; sessionid=2"}, nil},
		{"the last is refused", []string{"sessionid=2; _ga=1"}, []string{"sessionid=2"}, nil},
		{"all are refused", []string{"_ga=1; _pk_id.1=2"}, nil, nil},
		{"unlisted ones", []string{"a=1; sessionid=2; b=3"}, []string{"sessionid=2"}, []string{"a=1; sessionid=2; b=3"}},
		{"unlisted ones among refused ones", []string{"a=1; _ga=2; b=3"}, nil, []string{"a=1; b=3"}},
		{"another case is another cookie", []string{"SessionID=1; _GA=2"}, nil, []string{"SessionID=1; _GA=2"}},
		{"granted", []string{`prefs={"stats":true}; _ga=1; _pk_id=2`}, []string{`prefs={"stats":true}; _ga=1; _pk_id=2`}, nil},
		{"refused", []string{`prefs={"stats":false}; _ga=1; _pk_id=2`}, []string{`prefs={"stats":false}`}, nil},
		{"granted further behind", []string{"_ga=1", `prefs={"stats":true}`}, []string{"_ga=1", `prefs={"stats":true}`}, nil},
		{"unreadable, and left in place", []string{`_ga=1; prefs={"stats":true; counter=1`}, []string{`prefs={"stats":true`}, nil},
		{"anonymous, without a choice", []string{"counter=1; _ga=1"}, []string{"counter=1"}, nil},
		{"anonymous, and refused", []string{`counter=1; prefs={"counts":false}`}, []string{`prefs={"counts":false}`}, nil},

		{"a name twice", []string{"sessionid=1; _ga=2; sessionid=3; _ga=4"}, []string{"sessionid=1; sessionid=3"}, nil},
		{"several lines", []string{"sessionid=1; _ga=2", "_ga=3", "prefs=x"}, []string{"sessionid=1", "prefs=x"}, nil},
		{"several lines, the first as it was", []string{"sessionid=1 ;;", " prefs=x;_ga=3"}, []string{"sessionid=1 ;;", " prefs=x"}, nil},
		{"several lines, all refused", []string{"_ga=2", "_ga=3"}, nil, nil},

		{"no blanks", []string{"_ga=1;sessionid=2;_ga=3;prefs=x"}, []string{"sessionid=2;prefs=x"}, nil},
		{"blanks and tabs", []string{"\t_ga = 1 ; sessionid\t=  2 \t;  prefs = x "}, []string{"sessionid\t=  2 \t;  prefs = x "}, nil},
		{"quotes, commas, equals signs and bytes of any kind", []string{"_ga=1; sessionid=\"a, _ga=b\"==\xff%20é; _ga=\"1"}, []string{"sessionid=\"a, _ga=b\"==\xff%20é"}, nil},
		{"a semicolon within quotes", []string{`sessionid="1; _ga=2; x"`}, []string{`sessionid="1`}, nil},
		{"an empty value", []string{"sessionid=; _ga="}, []string{"sessionid="}, nil},
		{"a comma before a name", []string{"sessionid=1, _ga=2"}, []string{"sessionid=1, _ga=2"}, nil},
		{"a name behind a comma", []string{"_ga=1, sessionid=2"}, nil, nil},
		{"no name", []string{"sessionid; =sessionid; =; sessionid=1"}, []string{"sessionid=1"}, nil},
		{"a blank that is none to browsers", []string{"\u00a0sessionid=1; \u00a0_ga=2"}, nil, []string{"\u00a0sessionid=1; \u00a0_ga=2"}},
		{"empty pairs alone", []string{"; ;"}, []string{"; ;"}, nil},
		{"empty pairs before and behind what is refused", []string{"; ;_ga=1; ;"}, nil, nil},
		{"empty pairs around what stays", []string{";;_ga=1;; sessionid=2;;"}, []string{";;; sessionid=2;;"}, nil},
		{"a name longer than browsers store", []string{"_pk_" + strings.Repeat("x", maxPair) + "=1; sessionid=2"}, []string{"sessionid=2"},
			[]string{"_pk_" + strings.Repeat("x", maxPair) + "=1; sessionid=2"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := filterRequest(e, c.cookie...); !slices.Equal(got, c.want) {
				t.Errorf("got  %.200q\nwant %.200q", got, c.want)
			}
			if c.pass == nil {
				c.pass = c.want
			}
			if got := filterRequest(passing, c.cookie...); !slices.Equal(got, c.pass) {
				t.Errorf("where unlisted cookies pass: got  %.200q\nwant %.200q", got, c.pass)
			}
		})
	}
}

// Nothing left means no header, not an empty one, and the slice that came is nobody's to change: a log may hold it.
func TestTheLinesThatCameStayAsTheyWere(t *testing.T) {
	e := compiled(t, tracking(RuleOptions{}, "_ga"))
	for _, cookies := range [][]string{{"_ga=1"}, {"sessionid=1; _ga=2", "_ga=3", "sessionid=4"}} {
		came := slices.Clone(cookies)
		header := http.Header{"Cookie": cookies}
		visit := e.Visit(Request{Header: header})
		visit.FilterRequest()
		if !slices.Equal(came, cookies) {
			t.Errorf("%q became %q", came, cookies)
		}
		if left, ok := header["Cookie"]; ok && len(left) == 0 {
			t.Error("an empty header is left")
		}
	}
}

// FuzzFilterRequest gives a request's Cookie header, one line per line of the text, to the filter. Whatever it is, the pairs that stay are a part
// of those that came, in their order and byte for byte; each is named in the policy, and by a granted rule; and no necessary one is lost.
func FuzzFilterRequest(f *testing.F) {
	for _, text := range []string{
		"", "sessionid=1; _ga=2", "_ga=1;sessionid=2;;", ";; _ga=1 ;", "\t_ga = 1 ;\tsessionid=2\n_ga=3\n\nprefs={}", `prefs={"stats":true}; _ga=1; x`, "=sessionid; sessionid",
		`_ga=1; prefs={"stats":true}` + "\n" + `prefs={"stats":false}; sessionid="a; b"`, "\u00a0sessionid=1; sessionid\x00=2", "a=b; \xff=; _ga", `prefs=%7B%22stats%22%3Atrue%7D`,
	} {
		f.Add(text)
	}
	e := compiled(f, tracking(RuleOptions{Consent: []string{"stats"}}, "_ga", "_pk_*"))
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		got := filterRequest(e, lines...)
		if len(got) > len(lines) || got != nil && len(got) == 0 {
			t.Errorf("of %q %q is left", lines, got)
		}
		sent, left := strings.Split(strings.Join(lines, ";"), ";"), strings.Split(strings.Join(got, ";"), ";")
		granted := strings.Contains(text, "prefs")
		for _, pair := range sent {
			name, _, named := strings.Cut(pair, "=")
			name = strings.Trim(name, " \t")
			through := len(left) > 0 && (left[0] == pair || left[0] == strings.TrimLeft(pair, " \t")) // the first of a line loses its blanks
			if strings.Trim(pair, " \t") == "" {
				continue // there may be more of these than are left
			}
			for len(left) > 0 && strings.Trim(left[0], " \t") == "" {
				left = left[1:]
				through = len(left) > 0 && (left[0] == pair || left[0] == strings.TrimLeft(pair, " \t"))
			}
			tracker := name == "_ga" || strings.HasPrefix(name, "_pk_")
			switch {
			case through && (!named || name != "sessionid" && name != "prefs" && !(tracker && granted)):
				t.Errorf("%q stays of %q", pair, lines)
			case !through && named && (name == "sessionid" || name == "prefs"):
				t.Errorf("%q does not stay of %q", pair, lines)
			}
			if through {
				left = left[1:]
			}
		}
		for _, pair := range left {
			if strings.Trim(pair, " \t") != "" {
				t.Fatalf("%q is left, out of order or with other bytes, of %q", left, lines)
			}
		}
		if again := filterRequest(e, got...); !slices.Equal(again, got) {
			t.Errorf("%q, filtered again, is %q", got, again)
		}
	})
}

func BenchmarkFilterRequest(b *testing.B) {
	e := compiled(b, Policy{Presets: []Preset{{Name: "opendatasoft"}, {Name: "matomo"}, {Name: "google_analytics"}}})
	const mebibyte = 1 << 20
	const necessary = "sessionid=0123456789abcdef0123456789abcdef; csrftoken=0123456789abcdef0123456789abcdef; django_language=fr; "
	for _, c := range []struct{ what, cookies string }{
		{"six_and_all_stay", necessary + "sessionid=1; csrftoken=2; django_language=en"},
		{"six_of_which_three_go", necessary + "_ga=GA1.1.1234567890.1768478400; _pk_id.1.1fff=0123456789abcdef.1768478400.; _pk_ses.1.1fff=1"},
		{"1MiB_of_one_that_goes", strings.Repeat("_ga=1; ", mebibyte/7)},
		{"1MiB_of_one_that_stays", strings.Repeat("sessionid=1; ", mebibyte/13)},
		{"1MiB_of_both", strings.Repeat("sessionid=1; _ga=1; ", mebibyte/20)},
		{"1MiB_of_semicolons", "_ga=1" + strings.Repeat(";", mebibyte)},
		{"1MiB_of_blanks", "_ga=1;" + strings.Repeat(" ", mebibyte)},
		{"1MiB_of_name", strings.Repeat("_pk_id", mebibyte/6) + "=1"},
		{"1MiB_of_names_for_wildcards", strings.Repeat("_pk_id"+strings.Repeat("x", 1000)+"=;", mebibyte/1008)},
		{"1MiB_of_preferences", strings.Repeat("cookies_preferences={};", mebibyte/23) + "_ga=1"},
	} {
		b.Run(c.what, func(b *testing.B) {
			lines, header := []string{c.cookies}, http.Header{}
			b.SetBytes(int64(len(c.cookies)))
			b.ReportAllocs()
			for b.Loop() {
				header["Cookie"] = lines
				visit := e.Visit(Request{Header: header})
				visit.FilterRequest()
			}
		})
	}
}
