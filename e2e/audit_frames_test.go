package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// framedBanner is a banner's document: its buttons are in a shadow root, and tell the page what was chosen.
const framedBanner = `<body style="margin: 40px"><p>A text above, so that the buttons are not at the top.</p>
	<div id=host></div>
	<script>
		const root = document.getElementById("host").attachShadow({ mode: "open" });
		root.innerHTML = '<button class=accept hidden>hidden</button><button class=accept>yes</button>' +
			'<button class=refuse>no</button>';
		for (const b of root.querySelectorAll("button"))
			b.onclick = (event) => top.postMessage([b.className, event.isTrusted], "*");
	</script>`

// A banner within a frame is clicked wherever the frame is from: of the same site, of another one, and one
// in the other. The report says in which document.
func TestAuditOfFramedBanner(t *testing.T) {
	t.Parallel()
	const page = `<div style="height: 1500px"></div><iframe width=600 height=400 src="%s"></iframe>
		<script>
			addEventListener("message", ({ data: [choice, trusted] }) => {
				if (!trusted) return;
				const yes = choice === "accept";
				document.cookie = "cookies_preferences=" + encodeURIComponent(JSON.stringify(
					{ stats: yes, ads: yes, audience: yes, timestamp: Date.now() })) + "; Path=/; Max-Age=15000000; Secure";
			});
		</script>`
	for _, c := range []struct{ what, frame, clicked string }{
		{"of the portal", "/banner", "https://" + auditedHost + "/banner"},
		{"of another site", "https://" + widgetHost + "/banner", "https://" + widgetHost + "/banner"},
		{"within another one", "https://" + trackerHost + "/outer", "https://" + widgetHost + "/banner"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			site := &auditedSite{
				behave: func(w http.ResponseWriter, r *http.Request, choice map[string]bool, chosen bool) {
					switch {
					case r.URL.Path == "/banner":
						writePage(w, framedBanner)
					case r.URL.Path != "/":
						w.WriteHeader(http.StatusNoContent)
					case chosen:
						writePage(w, "")
					default:
						writePage(w, fmt.Sprintf(page, c.frame))
					}
				},
				trackers: func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/outer":
						writePage(w, `<body style="margin: 30px"><iframe width=500 height=300 src="https://`+widgetHost+
							`/banner"></iframe>`)
					case "/banner":
						writePage(w, framedBanner)
					default:
						w.WriteHeader(http.StatusNoContent)
					}
				},
			}
			site.start(t)
			a := runAudit(t, site, site.address, "--by", "clicked", "--state", "granted,refused", "--accept", "button.accept",
				"--refuse", ".refuse", "--settle", "200ms", "https://"+auditedHost+"/")
			for i, want := range []struct{ selector, choice string }{{"button.accept", "granted"}, {".refuse", "refused"}} {
				s := a.report.States[i]
				if len(s.Clicks) != 1 || s.Clicks[0].Selector != want.selector || s.Clicks[0].Frame != c.clicked ||
					s.ReadAs["stats"] != want.choice || s.Verdict == audit.Incomplete || len(s.Made) > 0 {
					t.Errorf("state %s: clicked %+v, read as %v, %s, %q", s.State, s.Clicks, s.ReadAs, s.Verdict, s.Reasons)
				}
			}
		})
	}
}

// A selector that can match nothing, or is none, makes the state incomplete and says why.
func TestAuditOfUnknownButton(t *testing.T) {
	t.Parallel()
	site := &auditedSite{trackers: track, behave: func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
		writePage(w, `<button id=closed style="display: none">no</button>`)
	}}
	site.start(t)
	for selector, reason := range map[string]string{
		"#closed": `"#closed" matches nothing that can be seen`, "##": `"##" is no CSS selector`,
	} {
		a := runAudit(t, site, site.address, "--by", "clicked", "--state", "refused", "--refuse", selector,
			"--settle", "0s", "--timeout", "3s", "https://"+auditedHost+"/")
		if s := a.report.States[0]; a.status != 2 || !strings.Contains(strings.Join(s.Reasons, "\n"), reason) {
			t.Errorf("%s: status %d, %q", selector, a.status, s.Reasons)
		}
	}
}
