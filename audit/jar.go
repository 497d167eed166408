package audit

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"net/url"
	"strings"
	"time"
)

// masker replaces values by a keyed hash. The key lives as long as the audit and is written nowhere: the
// hashes tell that two values are the same, within one audit, and nothing else.
type masker struct{ key []byte }

func newMasker() *masker {
	m := &masker{make([]byte, 32)}
	_, _ = rand.Read(m.key) // never fails
	return m
}

func (m *masker) mask(value string) string {
	h := hmac.New(sha256.New, m.key)
	h.Write([]byte(value))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// jarKey identifies a cookie in a browser.
type jarKey struct{ name, domain, path, partition string }

// stored is a cookie in the browser, without its value.
type stored struct {
	mac                       string
	length                    int
	expires                   time.Time // zero for one that ends with the browser
	secure, httpOnly, session bool
	sameSite                  string
}

// jar is what the browser has stored at a time.
type jar struct {
	at         time.Time
	cookies    map[jarKey]stored
	preference string // the Cookie header with the visitor's choice, for the portal's host
}

// maxJar is how many cookies of a jar are kept. Chromium has room for about 3,300.
const maxJar = 10_000

// jar reads what the browser has stored, in all partitions.
func (v *visit) jar(ctx context.Context) (*jar, error) {
	var answer struct{ Cookies []cdpCookie }
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	if err := v.browser.Call(ctx, "", "Storage.getCookies", nil, &answer); err != nil {
		return nil, err
	}
	j := &jar{at: time.Now(), cookies: map[jarKey]stored{}}
	var preference []string
	for _, c := range answer.Cookies {
		if len(j.cookies) >= maxJar {
			v.dropped++
			break
		}
		s := stored{
			mac: v.masker.mask(c.Value), length: len(c.Value), session: c.Session, secure: c.Secure,
			httpOnly: c.HTTPOnly, sameSite: strings.ToLower(c.SameSite),
		}
		if !c.Session && c.Expires > 0 {
			whole, fraction := math.Modf(c.Expires)
			s.expires = time.Unix(int64(whole), int64(fraction*1e9)).UTC()
		}
		j.cookies[jarKey{c.Name, c.Domain, c.Path, c.partition()}] = s
		if v.judge.isPreference(c.Name) && c.partition() == "" && reaches(&c, v.origin) {
			preference = append(preference, c.Name+"="+c.Value)
		}
	}
	j.preference = strings.Join(preference, "; ")
	return j, nil
}

// reaches reports whether the browser sends a cookie with a request for a URL (RFC 6265bis section
// 5.8.3).
func reaches(c *cdpCookie, u *url.URL) bool {
	if !domainMatches(u.Hostname(), c.Domain) || c.Secure && u.Scheme != "https" {
		return false
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return path == c.Path || strings.HasPrefix(path, c.Path) &&
		(strings.HasSuffix(c.Path, "/") || strings.HasPrefix(path[len(c.Path):], "/"))
}

// domainMatches reports whether a host has the cookies of a domain. A domain without a leading dot is
// that host alone.
func domainMatches(host, domain string) bool {
	host = strings.ToLower(host)
	parent, isDomain := strings.CutPrefix(strings.ToLower(domain), ".")
	return host == parent || isDomain && strings.HasSuffix(host, "."+parent)
}
