package cookiepolicy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// maxAnswer is the largest answer that the commands read from a gateway, in bytes.
const maxAnswer = 64 << 20

// askOne asks a gateway about one policy. An empty name is that of its only policy.
func askOne(gateway, policy, what string, answer any) error {
	if policy == "" {
		var policies []policyInForce
		if err := get(gateway, "policies", &policies); err != nil {
			return err
		}
		if len(policies) != 1 {
			names := make([]string, len(policies))
			for i := range policies {
				names[i] = report.Printable(policies[i].Name)
			}
			return fmt.Errorf("this gateway has %d policies (%s); choose one with --policy",
				len(policies), report.Printable(strings.Join(names, ", ")))
		}
		policy = policies[0].Name
	}
	return get(gateway, url.PathEscape(policy)+"/"+what, answer)
}

// get asks a gateway's admin endpoint, at an address as Caddy writes it. What a gateway answers is
// not trusted: errors hold no control characters of it.
func get(gateway, path string, answer any) error {
	transport := &http.Transport{DisableKeepAlives: true}
	origin := strings.TrimSuffix(gateway, "/")
	if !strings.Contains(gateway, "://") {
		address, err := caddy.ParseNetworkAddress(gateway)
		if err != nil {
			return err
		}
		if origin = "http://" + address.JoinHostPort(0); address.IsUnixNetwork() {
			origin = "http://127.0.0.1" // there has to be some host
			transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", address.Host)
			}
		}
	}
	req, err := http.NewRequest(http.MethodGet, origin+"/cookie-policy/"+path, nil)
	if err != nil {
		return err
	}
	if transport.DialContext == nil {
		req.Header.Set("Origin", origin) // endpoints with enforce_origin require it, sockets reject it
	}
	client := &http.Client{
		Timeout:   30 * time.Second,
		Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the admin endpoint does not redirect
		},
	}
	resp, err := client.Do(req)
	if err != nil {
		return errors.New(report.Printable(err.Error()))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var problem struct{ Error string }
		_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&problem)
		return fmt.Errorf("%s: %s", report.Printable(resp.Status), report.Printable(problem.Error))
	}
	body := &io.LimitedReader{R: resp.Body, N: maxAnswer}
	if err := json.NewDecoder(body).Decode(answer); err != nil {
		if body.N <= 0 {
			return fmt.Errorf("the answer has more than %d MiB", maxAnswer>>20)
		}
		return fmt.Errorf("this is not an answer of a gateway with cookie_policy: %s",
			report.Printable(err.Error()))
	}
	return nil
}

// escapeInvisible replaces characters that are invisible or change the direction of text by JSON
// escapes. Outside of strings, JSON has none.
func escapeInvisible(b []byte) []byte {
	escaped := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r < utf8.RuneSelf || strconv.IsGraphic(r):
			escaped = append(escaped, b[:size]...)
		case r > 0xFFFF:
			r -= 0x10000
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
		b = b[size:]
	}
	return escaped
}
