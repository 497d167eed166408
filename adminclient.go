package cookiepolicy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

// maxAnswer is the largest answer that the commands read from a gateway, in bytes.
const maxAnswer = 64 << 20

// asked is what gateways answered about policies.
type asked[T report.Inventory | report.Drift] struct {
	reports []T               // one for each policy, in the order of their names
	abouts  []*evidence.About // likewise, with --fleet; otherwise nil
	err     error             // of the gateways that could not be asked
}

// askAll asks every gateway about its policies, or about the one that was chosen, and merges what they
// answer by the policy's name. A gateway that cannot be asked does not keep the others' answers back.
func askAll[T report.Inventory | report.Drift](
	q *query, what string, merge func(string, []report.Answer[T], []report.Finding) T,
) (a asked[T]) {
	var errs []error
	fleet := make([]gateway, len(q.addresses))
	names := map[string]bool{}
	for i, address := range q.addresses {
		fleet[i] = listPolicies(address)
		if fleet[i].err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", address, fleet[i].err))
		}
		for _, name := range fleet[i].policies {
			names[name] = true
		}
	}
	if len(errs) < len(fleet) {
		if err := q.choose(names); err != nil {
			errs = append(errs, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		var answers []report.Answer[T]
		var findings []report.Finding
		for _, g := range fleet {
			err := g.err
			if err == nil && !slices.Contains(g.policies, name) {
				findings = append(findings, report.Finding{
					Kind: report.Missing, Detail: g.address + " has no policy of this name"})
				continue
			}
			answer := report.Answer[T]{Gateway: g.address}
			if q.fleet && err == nil { // it has been merged already
				about, err := getFleet(g.address, url.PathEscape(name)+"/"+what, &answer.Report)
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: policy %s: %w", g.address, report.Printable(name), err))
					continue
				}
				for _, problem := range about.Problems {
					errs = append(errs, fmt.Errorf("%s: policy %s: %s",
						g.address, report.Printable(name), report.Printable(problem)))
				}
				a.reports, a.abouts = append(a.reports, answer.Report), append(a.abouts, about)
				continue
			}
			if err == nil {
				if err = get(g.address, url.PathEscape(name)+"/"+what, &answer.Report); err != nil {
					errs = append(errs, fmt.Errorf("%s: policy %s: %w", g.address, report.Printable(name), err))
				}
			}
			if err != nil {
				findings = append(findings, report.Finding{
					Kind: report.Unanswered, Detail: g.address + ": " + err.Error()})
				continue
			}
			answers = append(answers, answer)
		}
		if len(answers) > 0 {
			a.reports = append(a.reports, merge(name, answers, findings))
		}
	}
	a.err = errors.Join(errs...)
	return a
}

// getFleet asks a gateway to answer for all that have one storage with it, and returns from where the answer
// is.
func getFleet(gateway, path string, answer any) (*evidence.About, error) {
	var raw json.RawMessage
	if err := get(gateway, path+"?scope="+evidence.ScopeFleet, &raw); err != nil {
		return nil, err
	}
	about := new(evidence.About)
	for _, part := range []any{answer, about} {
		if err := json.Unmarshal(raw, part); err != nil {
			return nil, fmt.Errorf("this is not an answer of a gateway with cookie_policy: %s", report.Printable(err.Error()))
		}
	}
	if about.Scope != evidence.ScopeFleet {
		return nil, errors.New("this gateway does not answer for a fleet: " +
			"its version of cookie_policy is older than that of this program")
	}
	return about, nil
}

// choose removes all names but that of the policy that was chosen, if one was.
func (q *query) choose(names map[string]bool) error {
	known := slices.Sorted(maps.Keys(names))
	if len(known) == 0 {
		return errors.New("no gateway that answered has a policy")
	}
	if q.policy == "" {
		return nil
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool { return name != q.policy })
	if len(names) == 0 {
		for i, name := range known {
			known[i] = report.Printable(name)
		}
		return fmt.Errorf("%q: no policy of this name is in force; there are %s",
			q.policy, report.Printable(strings.Join(known, ", ")))
	}
	return nil
}

// gateway is a gateway that was asked for its policies.
type gateway struct {
	address  string
	policies []string // names
	err      error    // why it could not be asked
}

func listPolicies(address string) gateway {
	g := gateway{address: address}
	var policies []policyInForce
	g.err = get(address, "policies", &policies)
	for _, p := range policies {
		g.policies = append(g.policies, p.Name)
	}
	return g
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
		if inner := errors.Unwrap(err); inner != nil { // without the address, which the caller adds
			err = inner
		}
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
