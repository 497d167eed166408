package enforcer_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// filterRequest returns the Cookie lines that the portal gets of those that a visitor sent.
func filterRequest(e *enforcer.Enforcer, cookies ...string) []string {
	header := http.Header{"Cookie": slices.Clone(cookies)}
	visit := e.Visit(enforcer.Request{Header: header})
	visit.FilterRequest()
	return header["Cookie"]
}

func TestFilterRequest(t *testing.T) {
	p := tracking(policy.RuleOptions{Consent: []string{"stats"}}, "_ga", "_pk_*")
	p.Allow = append(p.Allow, policy.Rule{Category: policy.Statistical,
		Cookies: []string{"counter"}, RuleOptions: policy.RuleOptions{Consent: []string{"counts"},
			Anonymous: true}})
	e := compiled(t, p)
	p.Unlisted = policy.UnlistedPass
	passing := compiled(t, p)
	for _, c := range []struct {
		what   string
		cookie []string
		want   []string
		pass   []string // where unlisted cookies pass; nil for the same
	}{
		{"none", nil, nil, nil},
		{"necessary ones alone", []string{"sessionid=1; prefs=x"}, []string{"sessionid=1; prefs=x"},
			nil},
		{"the first is refused", []string{"_ga=1; sessionid=2"}, []string{"sessionid=2"}, nil},
		{"one between is refused", []string{"prefs=x; _ga=1; sessionid=2"},
			[]string{"prefs=x; sessionid=2"}, nil},
		{"the last is refused", []string{"sessionid=2; _ga=1"}, []string{"sessionid=2"}, nil},
		{"all are refused", []string{"_ga=1; _pk_id.1=2"}, nil, nil},
		{"unlisted ones", []string{"a=1; sessionid=2; b=3"}, []string{"sessionid=2"},
			[]string{"a=1; sessionid=2; b=3"}},
		{"unlisted ones among refused ones", []string{"a=1; _ga=2; b=3"}, nil,
			[]string{"a=1; b=3"}},
		{"another case is another cookie", []string{"SessionID=1; _GA=2"}, nil,
			[]string{"SessionID=1; _GA=2"}},
		{"granted", []string{`prefs={"stats":true}; _ga=1; _pk_id=2`},
			[]string{`prefs={"stats":true}; _ga=1; _pk_id=2`}, nil},
		{"refused", []string{`prefs={"stats":false}; _ga=1; _pk_id=2`},
			[]string{`prefs={"stats":false}`}, nil},
		{"granted further behind", []string{"_ga=1", `prefs={"stats":true}`},
			[]string{"_ga=1", `prefs={"stats":true}`}, nil},
		{"unreadable, and left in place", []string{`_ga=1; prefs={"stats":true; counter=1`},
			[]string{`prefs={"stats":true`}, nil},
		{"anonymous, without a choice", []string{"counter=1; _ga=1"}, []string{"counter=1"}, nil},
		{"anonymous, and refused", []string{`counter=1; prefs={"counts":false}`},
			[]string{`prefs={"counts":false}`}, nil},

		{"a name twice", []string{"sessionid=1; _ga=2; sessionid=3; _ga=4"},
			[]string{"sessionid=1; sessionid=3"}, nil},
		{"several lines", []string{"sessionid=1; _ga=2", "_ga=3", "prefs=x"},
			[]string{"sessionid=1", "prefs=x"}, nil},
		{"several lines, the first as it was", []string{"sessionid=1 ;;", " prefs=x;_ga=3"},
			[]string{"sessionid=1 ;;", " prefs=x"}, nil},
		{"several lines, all refused", []string{"_ga=2", "_ga=3"}, nil, nil},

		{"no blanks", []string{"_ga=1;sessionid=2;_ga=3;prefs=x"}, []string{"sessionid=2;prefs=x"},
			nil},
		{"blanks and tabs", []string{"\t_ga = 1 ; sessionid\t=  2 \t;  prefs = x "},
			[]string{"sessionid\t=  2 \t;  prefs = x "}, nil},
		{"quotes, commas, equals signs and bytes of any kind",
			[]string{"_ga=1; sessionid=\"a, _ga=b\"==\xff%20é; _ga=\"1"},
			[]string{"sessionid=\"a, _ga=b\"==\xff%20é"}, nil},
		{"a semicolon within quotes", []string{`sessionid="1; _ga=2; x"`}, []string{`sessionid="1`},
			nil},
		{"an empty value", []string{"sessionid=; _ga="}, []string{"sessionid="}, nil},
		{"a comma before a name", []string{"sessionid=1, _ga=2"}, []string{"sessionid=1, _ga=2"},
			nil},
		{"a name behind a comma", []string{"_ga=1, sessionid=2"}, nil, nil},
		{"no name", []string{"sessionid; =sessionid; =; sessionid=1"}, []string{"sessionid=1"},
			nil},
		{"a blank that is none to browsers", []string{"\u00a0sessionid=1; \u00a0_ga=2"}, nil,
			[]string{"\u00a0sessionid=1; \u00a0_ga=2"}},
		{"empty pairs alone", []string{"; ;"}, []string{"; ;"}, nil},
		{"empty pairs before and behind what is refused", []string{"; ;_ga=1; ;"}, nil, nil},
		{"empty pairs around what stays", []string{";;_ga=1;; sessionid=2;;"},
			[]string{";;; sessionid=2;;"}, nil},
		{"a name longer than browsers store", []string{"_pk_" + strings.Repeat("x", wire.MaxPair) +
			"=1; sessionid=2"}, []string{"sessionid=2"},
			[]string{"_pk_" + strings.Repeat("x", wire.MaxPair) + "=1; sessionid=2"}},
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

// If nothing is left, the header is removed. The slice that came is never changed: a log may hold
// it.
func TestFilterRequestKeepsSlice(t *testing.T) {
	e := compiled(t, tracking(policy.RuleOptions{}, "_ga"))
	for _, cookies := range [][]string{{"_ga=1"}, {"sessionid=1; _ga=2", "_ga=3", "sessionid=4"}} {
		came := slices.Clone(cookies)
		header := http.Header{"Cookie": cookies}
		visit := e.Visit(enforcer.Request{Header: header})
		visit.FilterRequest()
		if !slices.Equal(came, cookies) {
			t.Errorf("%q became %q", came, cookies)
		}
		if left, ok := header["Cookie"]; ok && len(left) == 0 {
			t.Error("an empty header is left")
		}
	}
}
