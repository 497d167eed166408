package cookiepolicy

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

func init() {
	caddy.RegisterModule(adminRoutes{})
}

// adminRoutes answer on Caddy's admin endpoint:
//
//	GET /cookie-policy/policies               the policies in force: name, digest, mode, since
//	GET /cookie-policy/<name>/inventory       every cookie name that was met; as CSV with ?format=csv or Accept: text/csv
//	GET /cookie-policy/<name>/drift           where the portal and the policy differ
type adminRoutes struct{}

// CaddyModule returns the Caddy module information.
func (adminRoutes) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.cookie_policy", New: func() caddy.Module { return adminRoutes{} }}
}

// Provision shows the metrics also where a config fails to load before its policies are provisioned: Caddy's endpoint is the one of that config
// until the next one loads.
func (adminRoutes) Provision(ctx caddy.Context) error { return register(ctx.GetMetricsRegistry()) }

// Routes implements [caddy.AdminRouter].
func (adminRoutes) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/cookie-policy/", Handler: caddy.AdminHandlerFunc(serveAdmin)}}
}

// policyInForce is what the list of policies tells of each.
type policyInForce struct {
	Name     string    `json:"name"`
	Digest   string    `json:"digest"`
	Mode     string    `json:"mode"`
	Rules    int       `json:"rules"`
	Since    time.Time `json:"since"`          // in force since
	Observed time.Time `json:"observed_since"` // by this name, over reloads
}

func serveAdmin(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("%s: this can only be read; use GET", r.Method)}
	}
	path := strings.TrimPrefix(r.URL.Path, "/cookie-policy/")
	if path == "policies" {
		return writeJSON(w, policiesInForce())
	}
	name, what, _ := strings.Cut(path, "/")
	if what != "inventory" && what != "drift" {
		return notFound("no such page; there are /cookie-policy/policies, /cookie-policy/<name>/inventory and /cookie-policy/<name>/drift")
	}
	p, ok := policyNamed(name)
	if !ok {
		return notFound("no policy of this name is in force; /cookie-policy/policies lists those that are")
	}
	if what == "drift" {
		return writeJSON(w, p.enforcer.Drift(p.observer))
	}
	report := p.enforcer.Report(p.observer)
	if r.URL.Query().Get("format") == "csv" || strings.Contains(r.Header.Get("Accept"), "text/csv") {
		return writeCSV(w, &report)
	}
	return writeJSON(w, report)
}

func notFound(message string) error {
	return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: fmt.Errorf("%s", message)}
}

func policiesInForce() []policyInForce {
	list := []policyInForce{}
	for _, p := range policiesRunning() {
		list = append(list, policyInForce{p.enforcer.Name(), p.enforcer.Digest(), p.enforcer.Mode(), p.enforcer.Counts().Rules, p.since(), p.observer.Since()})
	}
	return list
}

func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w) // escapes <, > and &, and replaces what is no UTF-8
	encoder.SetIndent("", "\t")
	return encoder.Encode(v)
}

// writeCSV writes one line for each cookie.
func writeCSV(w http.ResponseWriter, report *enforcer.Report) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	c := csv.NewWriter(w)
	_ = c.Write([]string{"name", "channel", "category", "rule", "first", "last", "count", "let_through", "refused", "deletion", "expired", "domains", "paths", "same_site",
		"lifetime", "session", "insecure", "script_read", "hosts"})
	for i := range report.Cookies {
		item := &report.Cookies[i]
		number := func(verdict string) string { return strconv.FormatUint(item.Verdicts[verdict], 10) }
		row := []string{item.Name, item.Channel, string(item.Category), item.Rule, item.First.UTC().Format(time.RFC3339), item.Last.UTC().Format(time.RFC3339),
			strconv.FormatUint(item.Count, 10), number("let_through"), number("refused"), number("deletion"), number("expired"),
			strings.Join(item.Domains, " "), strings.Join(item.Paths, " "), strings.Join(item.SameSite, " "), strconv.FormatInt(item.Lifetime, 10),
			strconv.FormatBool(item.Session), strconv.FormatBool(item.Insecure), strconv.FormatBool(item.Scripted), strings.Join(item.Hosts, " ")}
		for i, cell := range row {
			row[i] = noFormula(cell)
		}
		_ = c.Write(row)
	}
	c.Flush()
	return c.Error()
}

// noFormula puts a quote before what a spreadsheet would take for a formula, also in the wide signs that some take for narrow ones.
func noFormula(cell string) string {
	if strings.IndexAny(cell, "=+-@\uff1d\uff0b\uff0d\uff20") == 0 {
		return "'" + cell
	}
	return cell
}

// Interface guards
var (
	_ caddy.AdminRouter = adminRoutes{}
	_ caddy.Provisioner = adminRoutes{}
)
