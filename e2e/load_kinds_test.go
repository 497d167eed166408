package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// kindsPortal is a portal with a page for each kind. A page tells the portal which directive has stopped it.
type kindsPortal struct{ *other }

func (p kindsPortal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	place, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	tell := fmt.Sprintf(`addEventListener("securitypolicyviolation", `+
		`e => fetch(self.origin + "/told/%s?" + e.effectiveDirective))`, name)
	fill := strings.NewReplacer("OTHER", p.address("https", name),
		"WSS", p.address("wss", name), "STUN", "stun:stun."+websiteB+":"+p.stun, "OWN", "/out/"+name, "TELL", tell)
	var k kind
	for _, known := range kinds {
		if known.name == name {
			k = known
		}
	}
	switch place {
	case "told":
		p.happens(func() { p.told[name] = r.URL.RawQuery })
		w.WriteHeader(http.StatusNoContent)
	case "out":
		http.Redirect(w, r, p.address("https", name), http.StatusFound)
	case "script", "bare":
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, fill.Replace("TELL; "+k.script))
	case "kind":
		if k.link != "" {
			w.Header().Set("Link", fill.Replace(k.link))
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, fill.Replace("<!DOCTYPE html><link rel=icon href='data:,'><script>TELL</script>"+k.page))
	case "after":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, fill.Replace("<!DOCTYPE html><link rel=icon href='data:,'><link rel=preconnect href=OTHER>"))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// tryKinds opens a page for each kind, in a new profile, and returns what the third party saw of it.
func tryKinds(t *testing.T, certificate tls.Certificate, certFile, keyFile,
	policy string) (seen []string) {
	t.Helper()
	o := startOther(t, certificate)
	portal := httptest.NewServer(kindsPortal{o})
	t.Cleanup(portal.Close)
	origin := startLoadGateway(t, portal.URL, certFile, keyFile, strings.ReplaceAll(policy, "PORT", o.port))
	tab := startLoadBrowser(t, spkiOf(t, certificate))
	for _, k := range kinds {
		// A connection ahead of requests (preconnect) is a hint, which Chromium under load leaves out now and then.
		happened := false
		for tries := 0; tries < 4 && !happened; tries++ {
			if err := visit(tab, origin+"/kind/"+k.name); err != nil {
				t.Fatal(err)
			}
			happened = o.await(10*time.Second, func() bool {
				return o.asked[k.name] || o.told[k.name] != "" || k.silent && o.connected[k.name]
			})
		}
		if !happened {
			t.Fatalf("%s: nothing has happened", k.name)
		}
		// What the page has caused comes before the connection that the next page asks for.
		for happened = false; !happened; {
			if err := visit(tab, origin+"/after/after-"+k.name); err != nil {
				t.Fatal(err)
			}
			happened = o.await(10*time.Second, func() bool { return o.connected["after-"+k.name] })
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, k := range kinds {
		var what string
		switch {
		case o.asked[k.name]:
			what = "request"
		case o.connected[k.name]:
			what = "connection"
		default:
			what = "nothing"
		}
		if directive := o.told[k.name]; directive != "" {
			what += ", by " + directive
		}
		seen = append(seen, what)
	}
	return seen
}

// kindsPolicy lets nothing through before a choice; at /bare are pages without a header. No page asks for reports,
// which tell of what is let through, too.
const kindsPolicy = `cookie_policy opendatasoft {
		%s
		load enforce {
			except /bare/*
			sample 0%%
			%s
		}
	}`

// What a third party sees of each kind of request is what the golden table says, and what the docs say of it.
// Before a choice it sees little; it would see every kind without the policy, and with an origin that is let
// through.
func TestLoadKinds(t *testing.T) {
	certificate, certFile, keyFile := portaltest.NewCertificate(t, auditedHost, "*."+websiteB)
	try := func(name, policy string) (seen []string) {
		if !t.Run(name, func(t *testing.T) { seen = tryKinds(t, certificate, certFile, keyFile, policy) }) {
			t.FailNow()
		}
		return seen
	}
	free := try("without load", "")
	bound := try("load enforce", fmt.Sprintf(kindsPolicy, "", ""))
	pictures := try("with open image", fmt.Sprintf(kindsPolicy, "", "open image"))
	granted := try("let through", fmt.Sprintf(kindsPolicy,
		"allow necessary {\n\t\t\torigin https://*."+websiteB+":PORT\n\t\t}", ""))

	var table strings.Builder
	row := func(cells ...any) { fmt.Fprintf(&table, "%-20s%-14s%-32s%s\n", cells...) }
	row("KIND", "WITHOUT LOAD", "LOAD ENFORCE", "WITH OPEN IMAGE")
	seen := map[string]string{}
	for i, k := range kinds {
		row(k.name, free[i], bound[i], pictures[i])
		if want := map[bool]string{false: "request", true: "connection"}[k.silent]; free[i] != want {
			t.Errorf("%s: without the policy a third party sees: %s", k.name, free[i])
		}
		if granted[i] != free[i] {
			t.Errorf("%s: a third party that is let through sees: %s; without the policy it sees: %s", k.name, granted[i],
				free[i])
		}
		what, _, _ := strings.Cut(bound[i], ",")
		if before, is := seen[k.docs]; is && before != what {
			t.Errorf("the docs have one word, %q, for %s and for %s", k.docs, before, what)
		}
		seen[k.docs] = what
	}
	const golden = "testdata/load_kinds.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if table.String() != string(want) {
		t.Errorf("seen is\n%s\nand not\n%s", table.String(), want)
	}
	for file, all := range map[string]bool{"../docs/load.md": true, "../README.md": false} {
		told := kindsTold(t, file)
		for words, what := range told {
			if seen[words] != what {
				t.Errorf("%s: of %q a third party gets %q, and not %q", file, words, seen[words], what)
			}
		}
		if all && len(told) != len(seen) {
			t.Errorf("%s has %d kinds, and tested are %d: %v", file, len(told), len(seen), seen)
		}
	}
}

// kindsTold reads from a page of the docs what a third party gets of each kind.
func kindsTold(t *testing.T, file string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "| what a third party gets |\n|---|---|\n")
	table, _, _ := strings.Cut(after, "\n\n")
	told := map[string]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if len(cells) != 2 {
			t.Fatalf("%s: a row has %d cells: %q", file, len(cells), line)
		}
		for words := range strings.SplitSeq(cells[0], ", ") {
			told[words] = strings.TrimPrefix(cells[1], "a ")
		}
	}
	if len(told) == 0 {
		t.Fatalf("%s has no table of what a third party gets", file)
	}
	return told
}
