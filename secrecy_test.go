package cookiepolicy

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Nothing of what the gateway writes holds a value; and nothing that this module writes holds an
// address, a path or a query string either.
func TestEvidenceHoldsNoValue(t *testing.T) {
	secrets := []string{}
	secret := func() string {
		secrets = append(secrets, fmt.Sprintf("s3cr3t%03d", len(secrets)))
		return secrets[len(secrets)-1]
	}
	lines := []string{"sessionid=" + secret() + "; Path=/", "_ga=" + secret(),
		"_pk_id.1=" + secret() + "; Max-Age=60", "stray=" + secret() + "; token=" + secret() +
			"; Secure=" + secret() + "; HttpOnly=" + secret() + "; Path=/t0k3n",
		secret(), "=" + secret(), "a\tb=" + secret(), "gone=" + secret() + "; Max-Age=0",
		`quoted="` + secret() + `"`, "far=" + secret() + "; Domain=elsewhere.example",
		"cookies_preferences=" + secret(), " " + secret() + " ; Path=/",
		"sessionid=" + secret() + "; " + secret(), "utf=\xff" + secret()}
	cookies := []string{"sessionid=" + secret(), "_ga=" + secret(), "_pk_id.1=" + secret(),
		"stray=" + secret(), secret(), "=" + secret(), "client=" + secret(), `"` + secret() + `"`,
		"cookies_preferences=%7B%22matomo%22%3Afalse%2C%22visitor%22%3A%22" + secret() + "%22%7D",
		"cookies_preferences=" + secret()}
	private := []string{"203.0.113.77", "127.0.0.1", "2001:db8", "/pr1vate", "qu3ry"}
	portal := portaltest.StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = lines
		if strings.HasPrefix(r.URL.Path, "/pr1vate/page") {
			w.Header().Set("Content-Type", "text/html")
		}
		w.Write([]byte("hello"))
	})
	w, storage := keeping(t)
	for _, options := range []string{"", "mode report", "unlisted pass",
		"allow necessary * {\nmax_age 1h\n}", "rewrite_domain portal.example\nallow necessary far",
		"allow statistical st* {\ndomain x.example\n}"} {
		w.Reload("cookie_policy opendatasoft matomo {\nname city\n" + options +
			"\n}\nmap {http.cookie_policy.consent.nobody} {x} {\ndefault y\n}\nheader X-Consent {x}\n" +
			"handle_errors {\ncookie_policy opendatasoft\nrespond oops\n}\n@broken path *broken\n" +
			"error @broken 500\nreverse_proxy " + portal)
		for _, path := range []string{"/pr1vate/page?qu3ry=1", "/pr1vate/asset?qu3ry=1",
			"/pr1vate/broken?qu3ry"} {
			for _, client := range []string{"203.0.113.77", "2001:db8::7"} {
				answer := w.Get(path, "Cookie: "+strings.Join(cookies, "; "),
					"X-Forwarded-For: "+client, "Referer: http://localhost/pr1vate?qu3ry")
				if answer.Raw == "" {
					t.Error("no answer")
				}
			}
		}
	}
	shown := map[string]string{}
	for _, path := range []string{"/metrics", "/cookie-policy/policies",
		"/cookie-policy/city/inventory", "/cookie-policy/city/inventory?format=csv",
		"/cookie-policy/city/drift", "/cookie-policy/city/history", "/cookie-policy/city/report",
		"/cookie-policy/city/inventory?scope=fleet", "/cookie-policy/city/report?scope=fleet"} {
		_, _, shown[path] = w.Ask(http.MethodGet, path)
	}
	for _, asked := range []string{"inventory", "drift"} {
		for _, asJSON := range []bool{false, true} {
			var out bytes.Buffer
			q := query{addresses: []string{w.Admin}, policy: "city", json: asJSON}
			_, err := ask(&q, asked, &out)
			shown[fmt.Sprint(asked, asJSON)] = fmt.Sprint(out.String(), err)
		}
	}
	caddytest.Stop(t)
	for name, text := range storedIn(t, storage) {
		shown["stored "+name] = text
	}
	for _, file := range []string{"all.log", "audit.log"} {
		b, err := os.ReadFile(filepath.Join(w.Dir, file))
		if err != nil {
			t.Fatal(err)
		}
		whole := "the whole " + file // Caddy's own access log has addresses and paths
		for line := range strings.Lines(string(b)) {
			shown[whole] += line
			if strings.Contains(line, `"logger":"http.handlers.cookie_policy`) ||
				strings.Contains(line, `"logger":"cookie_policy`) {
				shown[file] += line
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(shown)) {
		text := shown[what]
		if text == "" {
			t.Errorf("%s is empty", what)
		}
		forbidden := slices.Clone(secrets)
		// Caddy's own metrics have its admin paths
		if !strings.HasPrefix(what, "the whole") && what != "/metrics" {
			forbidden = append(forbidden, private...)
		}
		for _, word := range append(forbidden, "s3cr3t") {
			if at := strings.Index(text, word); at >= 0 {
				t.Errorf("%s holds %s: %.300s", what, word, text[max(0, at-200):])
				break
			}
		}
	}
	for _, word := range []string{"stray", "(nameless)", "_ga"} { // it has looked at something
		for _, what := range []string{"all.log", "/cookie-policy/city/inventory", "inventoryfalse",
			"/cookie-policy/city/report", "stored city 0.json.gz"} {
			if !strings.Contains(shown[what], word) {
				t.Errorf("%s does not hold %s", what, word)
			}
		}
	}
}

// hostileNames are names that a client or a portal may choose to do harm where they are shown.
var hostileNames = []string{"\u009b31mred", "\u202egnp.exe", "<script>alert(1)</script>",
	"@SUM(1+1)", "+cmd|'/C calc'!A0", "-2+3", "'x", `"quoted","cells"`, "\xff\xfe", "x\ty", "{{x}}",
	"%0a%0d",
	`back\slash`, "\uff1dwide", "nul\u2028line", strings.Repeat("x", 10_000),
	"caddy_cookie_policy_verdicts_total{}", "🍪"}

// Names that mean harm come out harmless everywhere: in logs, JSON, CSV and tables. They are never
// a label.
func TestEvidenceOfHostileNames(t *testing.T) {
	portal := portaltest.StartHandler(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range hostileNames {
			w.Header().Add("Set-Cookie", name+"=1; Domain="+name+"; Path=/"+name+"; SameSite="+name+
				"; Max-Age="+name)
		}
		w.Header().Add("Set-Cookie", "=HYPERLINK(1)")
	})
	w := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\nreverse_proxy "+portal)
	for _, name := range hostileNames {
		w.Get("/", "Cookie: "+name+"=1; =HYPERLINK(1)")
	}
	answers := map[string]string{}
	for _, path := range []string{"/cookie-policy/city/inventory",
		"/cookie-policy/city/inventory?format=csv", "/cookie-policy/city/drift", "/metrics"} {
		_, _, answers[path] = w.Ask(http.MethodGet, path)
	}
	for _, asked := range []string{"inventory", "drift"} {
		var out bytes.Buffer
		q := query{addresses: []string{w.Admin}}
		if status, err := ask(&q, asked, &out); status == exitFailed {
			t.Fatal(err)
		}
		answers[asked] = out.String()
	}
	for file, logger := range map[string]string{"all.log": handlerLog, "audit.log": ""} {
		for _, e := range w.Log(file, logger, "") {
			b, _ := json.Marshal(e["cookie"])
			answers[file] += fmt.Sprint(e["cookie"], e["attributes"], e["host"]) + string(b) + "\n"
		}
	}
	for what, text := range answers {
		if !utf8.ValidString(text) {
			t.Errorf("%s is no UTF-8", what)
		}
		for _, r := range text {
			if !unicode.IsGraphic(r) && r != '\n' && r != '\t' {
				t.Errorf("%s holds %q", what, r)
				break
			}
		}
		if strings.Contains(text, strings.Repeat("x", 101)) {
			t.Errorf("%s holds a long name", what)
		}
	}
	for _, name := range []string{"alert", "SUM", "calc", "xxx", "🍪", "slash"} {
		if strings.Contains(answers["/metrics"], name) {
			t.Errorf("%s is in the metrics", name)
		}
	}
	if strings.Contains(answers["/cookie-policy/city/inventory"], "<") {
		t.Error("the JSON holds HTML")
	}
	file := strings.NewReader(answers["/cookie-policy/city/inventory?format=csv"])
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) < 2*len(hostileNames)-4 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\uff1d\uff0b\uff0d\uff20", []rune(cell)[0]) {
				t.Errorf("a spreadsheet takes this for a formula: %q", cell)
			}
		}
	}
	if table := strings.Split(strings.TrimSpace(answers["inventory"]), "\n"); len(table) != len(rows)+2 {
		t.Errorf("the table has %d lines, the CSV %d", len(table), len(rows))
	}
}
