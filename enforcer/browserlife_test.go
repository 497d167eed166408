package enforcer

import (
	"math"
	"math/big"
	"regexp"
	"testing"
)

// chromiumMaxAge reads a Max-Age as Chromium does: base::StringToInt64, whose result counts where it is not perfect if it is an end of the
// range of int64 (net/cookies/canonical_cookie.cc, ParseExpiration). It is the tests' second opinion, and shares no code with the first.
func chromiumMaxAge(text string) (seconds int64, ok bool) {
	m := regexp.MustCompile(`(?s)^(-|\+?)([0-9]*)(.*)$`).FindStringSubmatch(text)
	n, perfect := new(big.Int), m[3] == "" && m[2] != ""
	n.SetString("0"+m[2], 10)
	if m[1] == "-" {
		n.Neg(n)
	}
	lowest, highest := big.NewInt(math.MinInt64), big.NewInt(math.MaxInt64)
	switch {
	case n.Cmp(highest) > 0 || n.Cmp(highest) == 0 && !perfect:
		return math.MaxInt64, true
	case n.Cmp(lowest) < 0 || n.Cmp(lowest) == 0 && !perfect:
		return math.MinInt64, true
	}
	return n.Int64(), perfect
}

// firefoxMaxAge reads a Max-Age as Firefox does: a minus deletes, whatever stands behind it, and digits are clipped as soon as they are too many
// (netwerk/cookie/CookieParser.cpp).
func firefoxMaxAge(text string) (seconds int64, ok bool) {
	if text != "" && text[0] == '-' {
		return math.MinInt64, true
	}
	m := regexp.MustCompile(`(?s)^([0-9]*)(.*)$`).FindStringSubmatch(text)
	n, _ := new(big.Int).SetString("0"+m[1], 10)
	if !n.IsInt64() {
		return math.MaxInt64, true
	}
	return n.Int64(), m[1] != "" && m[2] == ""
}

// spentToAll reports whether each browser takes a Max-Age for a life that is over, and whether each ignores it.
func spentToAll(maxAge string) (spent, ignored bool) {
	chromium, chromiumReads := chromiumMaxAge(maxAge)
	firefox, firefoxReads := firefoxMaxAge(maxAge)
	return chromiumReads && chromium <= 0 && firefoxReads && firefox <= 0, !chromiumReads && (!firefoxReads || firefox <= 0)
}

// FuzzMaxAge compares the one reader of Max-Age with what browsers do: a deletion is one to both of them, it is ignored only where both
// ignore it or one deletes, and no browser keeps a cookie for longer than it says.
func FuzzMaxAge(f *testing.F) {
	for _, text := range []string{
		"", "0", "-0", "-1", "3600", "0003600", "+5", "+", "-", "--1", "- 1", "-0.5", "1.5", "1e3", "0x10", "9 9", "9223372036854775806", "9223372036854775807", "9223372036854775808",
		"9223372036854775806x", "9223372036854775807x", "9223372036854775807.0", "99999999999999999999 1", "00099999999999999999999x", "+9223372036854775808x",
		"-9223372036854775807x", "-9223372036854775808x", "-9223372036854775808", "-99999999999999999999x", "92233720368547758070", "18446744073709551616x", "18446744073709551617",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := parseMaxAge(text)
		spent, ignored := spentToAll(text)
		if got.readBy == everyBrowser && got.seconds <= 0 && !spent {
			t.Errorf("%q deletes, and not in every browser", text)
		}
		if got.readBy == noBrowser && !ignored {
			t.Errorf("%q is ignored, and a browser reads it", text)
		}
		for _, read := range []func(string) (int64, bool){chromiumMaxAge, firefoxMaxAge} {
			if seconds, ok := read(text); ok && got.readBy != noBrowser && seconds > got.seconds {
				t.Errorf("%q is %d seconds to a browser, and %d here", text, seconds, got.seconds)
			}
		}
	})
}
