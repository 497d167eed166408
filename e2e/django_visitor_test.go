package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// startDjango runs the Django portal, and returns its address.
func startDjango(t *testing.T) string {
	t.Helper()
	port := strconv.Itoa(portaltest.FreePort(t))
	// Debian's own interpreter: no other one sees Debian's Django.
	start(t, exec.Command(need(t, "/usr/bin/python3"), "portal/portal.py", port, t.TempDir()))
	addr := net.JoinHostPort("127.0.0.1", port)
	waitFor(t, "http://"+addr+"/")
	return addr
}

// gatewayBefore starts a gateway with a policy in front of upstream, and returns its address as a
// visitor types it. It is an HTTPS one, as every portal's is: there Django compares the Referer of
// a form with the Host that it sees. Caddy hands the visitor's Host to an upstream that is reached
// over plain HTTP.
func gatewayBefore(t *testing.T, upstream, policy string) string {
	t.Helper()
	gateway := fmt.Sprintf("https://localhost:%d", portaltest.FreePort(t))
	startGateway(t, gateway, fmt.Sprintf("%s {\n\tbind 127.0.0.1\n\t%s\n\treverse_proxy %s\n}\n",
		gateway, policy, upstream))
	return gateway
}

// visitor is someone with a browser: it keeps cookies, and shows every redirect instead of
// following it.
type visitor struct {
	*testing.T
	client http.Client
	portal string
}

func newVisitor(t *testing.T, portal string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = portaltest.AnyCertificate()
	t.Cleanup(transport.CloseIdleConnections)
	return &visitor{t, http.Client{
		Transport:     transport,
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, portal}
}

// page is what came back.
type page struct {
	status    int
	location  string
	setCookie []string
	body      string
}

func (v *visitor) do(method, path string, form url.Values) page {
	v.Helper()
	req, err := http.NewRequestWithContext(v.Context(), method, v.portal+path,
		strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", v.portal)
		req.Header.Set("Referer", v.portal+path)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	return page{resp.StatusCode, resp.Header.Get("Location"), resp.Header["Set-Cookie"], string(body)}
}

func (v *visitor) get(path string) page {
	v.Helper()
	return v.do(http.MethodGet, path, nil)
}

var csrfField = regexp.MustCompile(`name="csrfmiddlewaretoken" value="([^"]+)"`)

// submit opens the page at path, as a visitor does, and sends the form on it to action.
func (v *visitor) submit(path, action string, fields ...string) page {
	v.Helper()
	token := csrfField.FindStringSubmatch(v.get(path).body)
	if token == nil {
		v.Fatalf("%s has no form with a CSRF token", path)
	}
	form := url.Values{"csrfmiddlewaretoken": {token[1]}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return v.do(http.MethodPost, action, form)
}

// login signs the visitor in, by way of the admin.
func (v *visitor) login() page {
	v.Helper()
	p := v.submit("/admin/login/", "/admin/login/", "username", "editor", "password",
		"correct horse", "next", "/admin/")
	if p.status != http.StatusFound || p.location != "/admin/" {
		v.Fatalf("the login answers %d to %q: %s", p.status, p.location, p.body)
	}
	return p
}

// known is what the portal knows of the visitor.
type known struct {
	Cookies        map[string]string
	User, Language string
}

func (v *visitor) known() (k known) {
	v.Helper()
	if p := v.get("/"); json.Unmarshal([]byte(p.body), &k) != nil {
		v.Fatalf("the portal answers %d: %s", p.status, p.body)
	}
	return k
}

// cookie returns the value that the visitor's browser has stored under a name, or nothing.
func (v *visitor) cookie(name string) string {
	v.Helper()
	u, err := url.Parse(v.portal)
	if err != nil {
		v.Fatal(err)
	}
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// choose stores a choice as the portal's banner does: by script, as percent-encoded JSON.
func (v *visitor) choose(preference string) {
	v.Helper()
	u, err := url.Parse(v.portal)
	if err != nil {
		v.Fatal(err)
	}
	v.client.Jar.SetCookies(u, []*http.Cookie{{Name: "cookies_preferences",
		Value: url.QueryEscape(preference), Path: "/"}})
}

// wantSet checks which cookies a page sets, by their names and in their order.
func (p page) wantSet(t testing.TB, names ...string) {
	t.Helper()
	var got []string
	for _, line := range p.setCookie {
		name, _, _ := strings.Cut(line, "=")
		got = append(got, name)
	}
	if !slices.Equal(got, names) {
		t.Errorf("the page sets %q, want %q", got, names)
	}
}
