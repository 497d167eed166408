package audit

import (
	"encoding/json"
	"net/url"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Options are what is audited, and how.
type Options struct {
	Policy policy.Policy
	Source string // where the policy comes from: admin, config or file

	Pages  []*url.URL // in this order; the first one again at the end
	States []string   // none, refused, granted, granted:<key>, withdrawn, gpc
	By     []string   // stored, clicked

	Accept, Refuse, Reopen string // CSS selectors, for clicked

	Headers []Header // sent to the origins of Pages, and to no others

	Settle, Timeout time.Duration
	Runs            int
	FirstParty      []string
	Canaries        bool

	Browser           string // path
	NoSandbox         bool
	Resolve           []string // host:port:address
	Language          string
	UserAgent         string
	BlockThirdParty   bool
	AcceptCertificate []string // SHA-256 of public keys, in base64

	// Inventory asks the gateways what they met, at the beginning and at the end; or nil.
	Inventory func() (report.Inventory, error)

	// Screenshot keeps a picture of a page, and returns the name under which; or nil. Pictures hold what
	// the page shows.
	Screenshot func(s *State, page int, png []byte) (name string, err error)

	Version  string       // of this program
	Progress func(string) // or nil
}

func (o *Options) progress(text string) {
	if o.Progress != nil {
		o.Progress(text)
	}
}

// arguments returns the browser's command line, besides the pipe and the profile.
func (o *Options) arguments() []string {
	arguments := []string{
		"--headless=new", "--no-first-run", "--no-default-browser-check", "--disable-extensions",
		"--disable-component-update", "--disable-background-networking", "--disable-sync", "--disable-quic",
		"--disable-default-apps", "--disable-domain-reliability", "--disable-client-side-phishing-detection",
		"--disable-breakpad", "--disable-crash-reporter", "--disable-gpu", "--password-store=basic",
		"--use-mock-keychain", "--metrics-recording-only", "--window-size=1366,768",
		// Consent tools show no banner to a browser that says that it is automated.
		"--disable-blink-features=AutomationControlled",
		// A page that is prepared before it is asked for would belong to no page here.
		"--disable-features=Translate,OptimizationHints,MediaRouter,HttpsUpgrades,Prerender2,NoStatePrefetch," +
			"InterestFeedContentSuggestions",
		"--lang=" + o.Language, "--accept-lang=" + o.Language, "--user-agent=" + o.UserAgent,
	}
	if o.NoSandbox {
		arguments = append(arguments, "--no-sandbox")
	}
	if len(o.AcceptCertificate) > 0 {
		arguments = append(arguments,
			"--ignore-certificate-errors-spki-list="+strings.Join(o.AcceptCertificate, ","))
	}
	var rules []string
	for _, r := range o.Resolve {
		host, rest, _ := strings.Cut(r, ":")
		port, address, _ := strings.Cut(rest, ":")
		rules = append(rules, "MAP "+host+":"+port+" "+address)
	}
	if len(rules) > 0 {
		arguments = append(arguments, "--host-resolver-rules="+strings.Join(rules, ", "))
	}
	return append(arguments, "about:blank")
}

// preferences returns the preferences of a new profile. Debian's Chromium blocks third-party cookies
// unless they say otherwise, and no switch of the command line changes that.
func (o *Options) preferences() []byte {
	mode := 0
	if o.BlockThirdParty {
		mode = 1
	}
	b, _ := json.Marshal(map[string]any{ // of these types it never fails
		"profile": map[string]any{
			"cookie_controls_mode": mode, "block_third_party_cookies": o.BlockThirdParty,
			"default_content_setting_values": map[string]any{"notifications": 2, "geolocation": 2},
		},
		"intl":         map[string]any{"accept_languages": o.Language, "selected_languages": o.Language},
		"safebrowsing": map[string]any{"enabled": false},
		"search":       map[string]any{"suggest_enabled": false},
	})
	return b
}

// defaultUserAgent returns what the browser says of itself when it is not headless.
func defaultUserAgent(path string) string {
	out, _ := exec.Command(path, "--version").Output()
	major := regexp.MustCompile(`\b(\d+)\.\d+\.\d+\.\d+`).FindStringSubmatch(string(out))
	if major == nil {
		return ""
	}
	system := "X11; Linux x86_64"
	if runtime.GOOS == "darwin" {
		system = "Macintosh; Intel Mac OS X 10_15_7"
	}
	return "Mozilla/5.0 (" + system + ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/" + major[1] +
		".0.0.0 Safari/537.36"
}
