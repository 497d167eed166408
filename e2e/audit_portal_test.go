package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// The audited sites: the portal, and hosts of others.
const (
	auditedHost = "data.city.test"
	trackerHost = "pixel.tracker.test"
	widgetHost  = "widget.social.test"
	fontsHost   = "fonts.other.test"
	framedHost  = "cdn.framed.test"
)

var otherHosts = []string{trackerHost, widgetHost, fontsHost, framedHost}

// auditedPolicy is what the portal says of itself.
const auditedPolicy = `cookie_policy {
	name audited
	allow necessary sessionid {
		lifetime session
		secure
		http_only
	}
	allow statistical exempt {
		anonymous
		consent audience
		lifetime 395d
	}
	allow first_party stat_* {
		consent stats
		lifetime 30d
	}
	allow third_party ad_* {
		consent ads
	}
	preference cookies_preferences {
		timestamp timestamp
		max_age 183d
	}
}`

// auditedSite is a portal and two trackers, behind one address and with HTTPS.
type auditedSite struct {
	address  string // host and port
	cert     string // files
	key      string
	spki     string
	sum      string // of the certificate, as hexadecimal digits
	policy   string // in place of auditedPolicy
	behave   func(w http.ResponseWriter, r *http.Request, choice map[string]bool, chosen bool)
	trackers http.HandlerFunc
}

// start serves the site until the test ends.
func (s *auditedSite) start(t *testing.T) {
	t.Helper()
	certificate, certFile, keyFile := portaltest.NewCertificate(t, append([]string{auditedHost}, otherHosts...)...)
	s.sum = fmt.Sprintf("%x", sha256.Sum256(certificate.Certificate[0]))
	s.cert, s.key, s.spki = certFile, keyFile, spkiOf(t, certificate)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	server := &http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Host, auditedHost) {
				choice, chosen := readChoice(r)
				s.behave(w, r, choice, chosen)
				return
			}
			s.trackers(w, r)
		}),
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
}

// spkiOf names a certificate as Chromium's option wants it.
func spkiOf(t *testing.T, certificate tls.Certificate) string {
	t.Helper()
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// gateway runs a Caddy with the policy before the portal, and returns its address.
func (s *auditedSite) gateway(t *testing.T, policy string) (address string) {
	t.Helper()
	port := portaltest.FreePort(t)
	startGateway(t, fmt.Sprintf("https://127.0.0.1:%d/health", port), fmt.Sprintf(
		"https://:%d {\n\tbind 127.0.0.1\n\ttls %s %s\n\trespond /health 204\n\t%s\n\treverse_proxy https://%s {\n"+
			"\t\theader_up Host %s\n\t\ttransport http {\n\t\t\ttls_insecure_skip_verify\n\t\t}\n\t}\n}\n",
		port, s.cert, s.key, policy, s.address, auditedHost))
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// readChoice reads the preference as the portal's own script writes it.
func readChoice(r *http.Request) (choice map[string]bool, chosen bool) {
	choice = map[string]bool{}
	c, err := r.Cookie("cookies_preferences")
	if err != nil {
		return choice, false
	}
	text, err := url.QueryUnescape(c.Value)
	if err != nil {
		return choice, false
	}
	var members map[string]any
	if json.Unmarshal([]byte(text), &members) != nil {
		return choice, false
	}
	for key, value := range members {
		if yes, is := value.(bool); is {
			choice[key] = yes
		}
	}
	return choice, true
}

func setCookie(w http.ResponseWriter, line string) { w.Header().Add("Set-Cookie", line) }

func writePage(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!DOCTYPE html><title>\x1b[31m<script>x</script></title><link rel=icon href=/favicon.ico>%s", body)
}

// banner is a banner whose buttons store what is given for each, or nothing.
func banner(accept, refuse string) string {
	script := func(choice string) string {
		if choice == "" {
			return "this.parentNode.remove()"
		}
		return "document.cookie = 'cookies_preferences=' + encodeURIComponent(JSON.stringify({" + choice +
			", timestamp: Date.now()})) + '; Path=/; Max-Age=15000000; Secure; SameSite=Lax'; this.parentNode.remove()"
	}
	return fmt.Sprintf(`<div><button id=accept onclick="%s">Tout accepter</button>`+
		`<button id=refuse onclick="%s">Tout refuser</button></div>`, script(accept), script(refuse))
}

const (
	allYes = "stats: true, ads: true, audience: true"
	allNo  = "stats: false, ads: false, audience: false"
)

// misbehave is a portal that asks for a choice and does as it likes.
func misbehave(w http.ResponseWriter, r *http.Request, choice map[string]bool, chosen bool) {
	switch r.URL.Path {
	case "/", "/explore/":
		setCookie(w, "sessionid=s1; Path=/") // neither Secure nor HttpOnly
		setCookie(w, "stat_header=v1; Path=/; Secure; Max-Age=86400")
		setCookie(w, "stat_400=v2; Path=/; Secure; Max-Age=99999999")
		setCookie(w, "exempt=v3; Path=/; Secure; Max-Age=30000000")
		setCookie(w, "mystery=v4; Path=/; Secure")
		if chosen && !choice["stats"] {
			setCookie(w, "stat_refuser=v5; Path=/; Secure")
		}
		writePage(w, `<img src=/hop><script src=/own.js></script>
			<iframe src="https://`+trackerHost+`/frame?uid=12345678"></iframe>
			<script>
				setTimeout(() => { document.cookie = "stat_late=v6; Path=/; Secure; Max-Age=86400"; }, 900);
				cookieStore.set({ name: "stat_store", value: "v7", expires: Date.now() + 86400000 });
				localStorage.setItem("visitor_id", "abc");
				addEventListener("pagehide", () => navigator.sendBeacon("/beacon"));
				new Worker("/worker.js");
				navigator.serviceWorker.register("/sw.js");
			</script>`)
	case "/own.js":
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, "\n\ndocument.cookie = 'stat_own=v8; Path=/; Secure; Max-Age=86400';\n")
	case "/hop":
		setCookie(w, "stat_redirect=v9; Path=/; Secure")
		http.Redirect(w, r, "/pixel", http.StatusFound)
	case "/favicon.ico":
		setCookie(w, "stat_favicon=v10; Path=/; Secure")
		w.WriteHeader(http.StatusNotFound)
	case "/beacon":
		setCookie(w, "stat_beacon=v11; Path=/; Secure")
		w.WriteHeader(http.StatusNoContent)
	case "/worker.js":
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `fetch("/from-worker");`)
	case "/from-worker":
		setCookie(w, "stat_worker=v12; Path=/; Secure")
		w.WriteHeader(http.StatusNoContent)
	case "/sw.js":
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `cookieStore.set({ name: "stat_sw", value: "v13", expires: Date.now() + 86400000 });`)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// track is a tracker in a frame of its own site.
func track(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/frame") {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	setCookie(w, "ad_header=v14; Path=/; Secure; SameSite=None; Max-Age=86400")
	setCookie(w, "ad_chips=v15; Path=/; Secure; SameSite=None; Partitioned; Max-Age=86400")
	writePage(w, `<script>document.cookie = "ad_script=v16; Path=/; Secure; SameSite=None; Max-Age=86400";</script>`)
}

// behave is a portal that does what it says.
func behave(w http.ResponseWriter, r *http.Request, choice map[string]bool, chosen bool) {
	if r.URL.Path != "/" && r.URL.Path != "/explore/" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	setCookie(w, "sessionid=s1; Path=/; Secure; HttpOnly")
	body := banner(allYes, allNo)
	if chosen {
		body = `<button id=reopen onclick="document.getElementById('settings').hidden = false">Cookies</button>` +
			`<div id=settings hidden>` + body + `</div>`
	}
	switch _, err := r.Cookie("exempt"); {
	case chosen && !choice["audience"]:
		setCookie(w, "exempt=; Path=/; Secure; Max-Age=0")
	case err != nil:
		setCookie(w, "exempt=v1; Path=/; Secure; Max-Age=30000000")
	}
	if choice["stats"] {
		setCookie(w, "stat_header=v2; Path=/; Secure; Max-Age=86400")
	} else {
		setCookie(w, "stat_header=; Path=/; Secure; Max-Age=0")
	}
	if choice["ads"] {
		body += `<iframe src="https://` + trackerHost + `/frame"></iframe>`
	} else if chosen {
		body += `<img src="https://` + trackerHost + `/forget">`
	}
	writePage(w, body)
}

// trackWithConsent is a tracker that can be made to forget.
func trackWithConsent(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/frame":
		setCookie(w, "ad_header=v3; Path=/; Secure; SameSite=None; Max-Age=86400")
		writePage(w, "")
	case "/forget":
		setCookie(w, "ad_header=; Path=/; Secure; SameSite=None; Max-Age=0")
		w.WriteHeader(http.StatusNoContent)
	}
}

// endless answers without end.
func endless(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
	w.Header().Set("Content-Type", "text/html")
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		fmt.Fprint(w, "<p>and so on</p>")
		w.(http.Flusher).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
			tick.Stop()
			return
		}
	}
}
