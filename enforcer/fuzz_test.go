package enforcer_test

import (
	"math"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// FuzzSetCookie passes Set-Cookie lines, one per line of the text, through a Visit. Those that are
// let through are a subsequence of what came, byte for byte; each is named by the policy or a
// deletion to a second reader; and no line that this reader takes for a necessary cookie is
// refused.
func FuzzSetCookie(f *testing.F) {
	for _, lines := range []string{
		"sessionid=x; Path=/; HttpOnly\n_ga=1; Max-Age=600",
		"home=1; Domain=.Example.org\nhome=2; Domain=example.com",
		"=x\nx\n;\n=",
		"_ga=; Max-Age=0\n_ga=; Max-Age=-0",
		"_ga=\"; Expires=Thu, 01-Jan-70 00:00:00 GMT",
		"_pk_id.1=x; expires=Thu Jan  1 00:00:00 1970; max-age=",
		"\tsessionid\t=\x80; Max-Age=" + strings.Repeat("0", 1025),
		"\u00a0sessionid=x\nsessionid\x01=x",
		"_ga=1, sessionid=x\nsessionid=x, _ga=1; Max-Age=0, b=2",
		"_ga=1; Max-Age=9223372036854775807x; Expires=Thu, 01-Jan-70 00:00:00 GMT",
	} {
		f.Add(lines, "prefs={}", "Thu, 15 Jan 2026 12:00:00 GMT")
		f.Add(lines, `prefs={"m":true}`, "")
	}
	e := compiled(f, policy.Policy{
		Allow: []policy.Rule{
			{Category: policy.Necessary, Cookies: []string{"sessionid"}},
			{Category: policy.Necessary, Cookies: []string{"home"},
				RuleOptions: policy.RuleOptions{Domain: []string{"example.org"}}},
			{Category: policy.ThirdParty, Cookies: []string{"_pk_*"},
				RuleOptions: policy.RuleOptions{Consent: []string{"m"}}},
		},
		Preference: []policy.Preference{{Cookies: []string{"prefs"}}},
	})
	f.Fuzz(func(t *testing.T, text, cookie, date string) {
		lines := strings.Split(text, "\n")
		header := map[string][]string{"Set-Cookie": slices.Clone(lines), "Date": {date}}
		filterResponse(e, []string{cookie}, header)
		left := header["Set-Cookie"]
		for _, line := range lines {
			through := len(left) > 0 && left[0] == line
			if through {
				left = left[1:]
			}
			name, ok := plainName(line)
			switch {
			case through && (!ok || !slices.Contains([]string{"sessionid", "home", "prefs"},
				name) && !strings.HasPrefix(name, "_pk_") && !plainDeletion(line)):
				t.Errorf("%q was let through", line)
			case through && strings.HasPrefix(name, "_pk_") && !strings.Contains(cookie, "prefs") &&
				!plainDeletion(line):
				t.Errorf("%q was let through without a preference", line)
			case !through && ok && (name == "sessionid" || name == "prefs"):
				t.Errorf("%q was refused", line)
			}
		}
		if len(left) > 0 {
			t.Errorf("%q was let through, out of order or with other bytes, of %q", left, lines)
		}
	})
}

// plainName reads the name of a line in the plainest way.
func plainName(line string) (name string, ok bool) {
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "", false
	}
	pair := strings.Split(line, ";")[0]
	name = strings.Trim(strings.Split(pair, "=")[0], " \t")
	return name, strings.Contains(pair, "=") && name != ""
}

var (
	plainMaxAge = regexp.MustCompile(`(?s)^([-+]?)([0-9]+)(.*)$`)
	plainMonth  = regexp.MustCompile(`(?i)jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec`)
	plainTime   = regexp.MustCompile(`[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}`)

	// 1602 to 2026, with two digits or four
	plainYear = regexp.MustCompile(
		`(^|[^0-9])(160[2-9]|16[1-9][0-9]|1[7-9][0-9]{2}|20[01][0-9]|(20)?2[0-6]|[7-901][0-9])([^0-9]|$)`)
)

// plainDeletion reports whether a line may be one on which every browser removes the cookie: by the
// last Max-Age, or, where that is a number in no browser, by an Expires with all that makes a date
// and a year that is not in the future. A number at 2^63-1 or beyond counts whatever follows.
func plainDeletion(line string) bool {
	given := map[string]string{}
	for _, attribute := range strings.Split(line, ";")[1:] {
		name, value, _ := strings.Cut(attribute, "=")
		if value = strings.Trim(value, " \t"); len(value) <= 1024 {
			given[strings.ToLower(strings.Trim(name, " \t"))] = value
		}
	}
	if m := plainMaxAge.FindStringSubmatch(given["max-age"]); m != nil {
		seconds, _ := new(big.Int).SetString(m[2], 10)
		longest := seconds.Cmp(big.NewInt(math.MaxInt64)) >= 0
		switch sign, rest := m[1], m[3]; {
		case sign == "-" && (rest == "" || longest):
			return true
		case sign == "" && rest == "":
			return seconds.Sign() == 0
		case sign == "+" && rest == "", sign != "-" && longest:
			return false
		}
	}
	date := given["expires"]
	return plainMonth.MatchString(date) && plainTime.MatchString(date) &&
		plainYear.MatchString(plainTime.ReplaceAllString(date, ""))
}

// FuzzFilterRequest passes Cookie lines, one per line of the text, through a Visit. The pairs that
// stay are a subsequence of those that came, byte for byte; each is named by the policy and
// granted; and no necessary one is lost.
func FuzzFilterRequest(f *testing.F) {
	for _, text := range []string{
		"", "sessionid=1; _ga=2", "_ga=1;sessionid=2;;", ";; _ga=1 ;",
		"\t_ga = 1 ;\tsessionid=2\n_ga=3\n\nprefs={}", `prefs={"stats":true}; _ga=1; x`,
		"=sessionid; sessionid",
		`_ga=1; prefs={"stats":true}` + "\n" +
			`prefs={"stats":false}; sessionid="a; b"`, "\u00a0sessionid=1; sessionid\x00=2",
		"a=b; \xff=; _ga", `prefs=%7B%22stats%22%3Atrue%7D`,
	} {
		f.Add(text)
	}
	e := compiled(f, tracking(policy.RuleOptions{Consent: []string{"stats"}}, "_ga", "_pk_*"))
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		got := filterRequest(e, lines...)
		if len(got) > len(lines) || got != nil && len(got) == 0 {
			t.Errorf("of %q %q is left", lines, got)
		}
		sent, left := strings.Split(strings.Join(lines, ";"),
			";"), strings.Split(strings.Join(got, ";"), ";")
		granted := strings.Contains(text, "prefs")
		for _, pair := range sent {
			name, _, named := strings.Cut(pair, "=")
			name = strings.Trim(name, " \t")
			through := len(left) > 0 && (left[0] == pair ||
				left[0] == strings.TrimLeft(pair, " \t")) // the first of a line loses its blanks
			if strings.Trim(pair, " \t") == "" {
				continue // there may be more of these than are left
			}
			for len(left) > 0 && strings.Trim(left[0], " \t") == "" {
				left = left[1:]
				through = len(left) > 0 && (left[0] == pair ||
					left[0] == strings.TrimLeft(pair, " \t"))
			}
			tracker := name == "_ga" || strings.HasPrefix(name, "_pk_")
			switch {
			case through && (!named || name != "sessionid" && name != "prefs" &&
				!(tracker && granted)):
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
