package enforcer

import (
	"math"
	"strings"
)

// maxAge is what browsers read in the value of a Max-Age attribute.
type maxAge struct {
	readBy  readBy
	seconds int64 // the longest lifetime that any of them reads; zero or less deletes
}

// readBy says how many browsers read a value as a number.
type readBy uint8

const (
	noBrowser readBy = iota // the attribute counts as if it were not there
	someBrowser
	everyBrowser // and all of them read the same number
)

// parseMaxAge reads a Max-Age: an optional minus and digits (RFC 6265bis section 5.6.2). A number past int64 is clipped.
//
// Browsers read more than that. Chromium takes a plus for a sign; Firefox does not. Both clip a number as soon as it is past int64, before they
// look at what follows: 9223372036854775807x is the longest lifetime there is, and 3600x is no number.
func parseMaxAge(text string) maxAge {
	digits, negative := strings.CutPrefix(text, "-")
	plus := false
	if !negative {
		digits, plus = strings.CutPrefix(digits, "+")
	}
	var magnitude uint64
	end := 0
	for ; isDigit(digits, end); end++ {
		if magnitude > math.MaxInt64/10 {
			magnitude = 1 << 63 // another digit takes it past int64, and there it stays
			continue
		}
		magnitude = 10*magnitude + uint64(digits[end]-'0')
	}
	m := maxAge{seconds: int64(min(magnitude, math.MaxInt64))}
	clipped := magnitude >= math.MaxInt64
	if negative {
		m.seconds, clipped = -m.seconds, magnitude > math.MaxInt64
	}
	switch complete := end == len(digits); {
	case end == 0 || !complete && !clipped:
		return maxAge{}
	case complete && !plus:
		m.readBy = everyBrowser
	default:
		m.readBy = someBrowser
	}
	return m
}
