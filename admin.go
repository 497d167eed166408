package cookiepolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
	"github.com/cookie-policy/caddy-cookie-policy/explain"
	"github.com/cookie-policy/caddy-cookie-policy/page"
)

func init() {
	caddy.RegisterModule(adminRoutes{})
}

// adminRoutes are the routes on Caddy's admin endpoint:
//
//	GET /cookie-policy/policies           the policies in force, and the requests that each saw
//	GET /cookie-policy/<name>/policy      one of them, as it was configured
//	GET /cookie-policy/<name>/inventory   every cookie name that was met
//	GET /cookie-policy/<name>/drift       where the portal and the policy differ
//	GET /cookie-policy/<name>/history     the policies of this name that came into force
//	GET /cookie-policy/<name>/report      the evidence of some days, as data: ?since=2026-01-01&until=2026-01-31
//	POST /cookie-policy/<name>/explain    why cookies are let through or refused
//
// Inventory and drift are JSON, or CSV with ?format=csv or Accept: text/csv. They, the history and the
// report are about this gateway, or with ?scope=fleet about all that keep their evidence in one storage.
type adminRoutes struct{}

// CaddyModule returns the Caddy module information.
func (adminRoutes) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.cookie_policy", New: func() caddy.Module { return adminRoutes{} }}
}

// Provision registers the metrics also if a config fails to load before its policies are
// provisioned: until the next one loads, Caddy's endpoint is that of this config.
func (adminRoutes) Provision(ctx caddy.Context) error { return register(ctx.GetMetricsRegistry()) }

// Routes implements [caddy.AdminRouter].
func (adminRoutes) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/cookie-policy/", Handler: caddy.AdminHandlerFunc(serveAdmin)}}
}

// policyInForce is one policy in the list of policies.
type policyInForce struct {
	Name        string     `json:"name"`
	Digest      string     `json:"digest"`
	Mode        string     `json:"mode"`
	Rules       int        `json:"rules"`
	Since       time.Time  `json:"since"`                  // in force since
	Observed    time.Time  `json:"observed_since"`         // under this name, over reloads
	Requests    uint64     `json:"requests"`               // that the policy saw since it is observed
	LastRequest *time.Time `json:"last_request,omitempty"` // absent if there was none
}

// policyAsConfigured is one policy with what it says.
type policyAsConfigured struct {
	Name   string        `json:"name"`
	Digest string        `json:"digest"`
	Since  time.Time     `json:"since"`          // in force since
	First  time.Time     `json:"first_since"`    // since when one of this name is, as far as is known
	Hosts  []string      `json:"hosts"`          // of the sites that have it; empty if a site has no name
	Policy policy.Policy `json:"policy"`         // as it was configured: with the names of its presets
	Page   *page.Config  `json:"page,omitempty"` // of the policy's page, if there is one
}

func serveAdmin(w http.ResponseWriter, r *http.Request) error {
	if name, found := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/cookie-policy/"), "/explain"); found {
		return serveExplain(w, r, name)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return apiError(http.StatusMethodNotAllowed, r.Method+": this can only be read; use GET")
	}
	format, err := formatOf(r)
	if err != nil {
		return err
	}
	path := strings.TrimPrefix(r.URL.Path, "/cookie-policy/")
	if path == "policies" {
		return writeJSON(w, policiesInForce())
	}
	name, what, _ := strings.Cut(path, "/")
	answer, known := policyAnswers[what]
	if !known {
		return apiError(http.StatusNotFound, "no such page; there are /cookie-policy/policies, "+
			"/cookie-policy/NAME/policy, /cookie-policy/NAME/inventory, /cookie-policy/NAME/drift, "+
			"/cookie-policy/NAME/history, /cookie-policy/NAME/report "+
			"and, by POST, /cookie-policy/NAME/explain")
	}
	p, ok := policyNamed(name)
	if !ok {
		return noSuchPolicy()
	}
	answered, err := answer(r, p)
	if err != nil {
		return err
	}
	if table, ok := answered.(interface{ CSV() []byte }); ok && format == "csv" {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		_, err := w.Write(table.CSV())
		return err
	}
	return writeJSON(w, answered)
}

// policyAnswers are what can be asked about a policy in force.
var policyAnswers = map[string]func(*http.Request, *runningPolicy) (any, error){
	"policy": func(_ *http.Request, p *runningPolicy) (any, error) {
		return policyAsConfigured{
			Name: p.name(), Digest: p.digest(), Since: p.since(), First: p.timesInForce().Since,
			Hosts: slices.Concat([]string{}, p.sites), Policy: p.configured, Page: p.page,
		}, nil
	},
	"inventory": func(r *http.Request, p *runningPolicy) (any, error) {
		if isFleet, err := asksFleet(r); err != nil || !isFleet {
			return report.NewInventory(p.enforcer.Policy(), p.observer, time.Now()), err
		}
		return ofFleet(r, p, (*evidence.Question).Inventory)
	},
	"drift": func(r *http.Request, p *runningPolicy) (any, error) {
		if isFleet, err := asksFleet(r); err != nil || !isFleet {
			return report.NewDrift(p.enforcer.Policy(), p.observer, time.Now()), err
		}
		return ofFleet(r, p, (*evidence.Question).Drift)
	},
	"history": func(r *http.Request, p *runningPolicy) (any, error) {
		return ofScope(r, p, (*evidence.Question).History)
	},
	"report": serveReport,
}

func noSuchPolicy() error {
	return apiError(http.StatusNotFound,
		"no policy of this name is in force; /cookie-policy/policies lists those that are")
}

// maxQuestion is the largest question that is read, in bytes. An answer can be a hundred times larger.
const maxQuestion = 128 << 10

// serveExplain answers a question about a policy in force. It counts nothing.
func serveExplain(w http.ResponseWriter, r *http.Request, name string) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		return apiError(http.StatusMethodNotAllowed, r.Method+": this answers a question; use POST")
	}
	p, ok := policyNamed(name)
	if !ok {
		return noSuchPolicy()
	}
	var question explain.Question
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuestion))
	d.DisallowUnknownFields()
	err := d.Decode(&question)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("there is more behind the object")
		}
	}
	if err != nil {
		return apiError(http.StatusBadRequest, "want an object such as {\"set_cookie\": [\"a=1; Path=/\"], "+
			"\"cookie\": [], \"headers\": {}, \"host\": \"\", \"https\": false, \"page\": true}: "+whatIsWrong(err))
	}
	return writeJSON(w, question.Ask(p.enforcer))
}

// whatIsWrong says what a question has in a place of another type, without the names of Go's types.
func whatIsWrong(err error) string {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err.Error()
	}
	kind, _, _ := strings.Cut(wrong.Value, " ") // "number 1" has the number
	if wrong.Field == "" {
		return "found another kind of value: " + kind
	}
	return fmt.Sprintf("%s: found another kind of value: %s", wrong.Field, kind)
}

// formatOf returns the format that a request asks for: json or csv.
func formatOf(r *http.Request) (string, error) {
	switch format := r.URL.Query().Get("format"); format {
	case "json", "csv":
		return format, nil
	case "":
	default:
		return "", apiError(http.StatusBadRequest,
			fmt.Sprintf("format: %q: no such format; want json or csv", format))
	}
	if strings.Contains(r.Header.Get("Accept"), "text/csv") {
		return "csv", nil
	}
	return "json", nil
}

// apiError returns an error as Caddy's admin endpoint shows it.
func apiError(status int, message string) error {
	return caddy.APIError{HTTPStatus: status, Err: errors.New(message)}
}

func policiesInForce() []policyInForce {
	list := []policyInForce{}
	for _, p := range policiesRunning() {
		inForce := policyInForce{
			Name: p.name(), Digest: p.digest(), Mode: p.mode(), Rules: p.enforcer.Policy().Counts().Rules,
			Since: p.since(), Observed: p.observer.Since(),
		}
		var last time.Time
		if inForce.Requests, last = p.observer.Requests(); inForce.Requests > 0 {
			inForce.LastRequest = &last
		}
		list = append(list, inForce)
	}
	return list
}

func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w) // escapes <, > and &, and replaces what is not UTF-8
	encoder.SetIndent("", "\t")
	return encoder.Encode(v)
}

// Interface guards
var (
	_ caddy.AdminRouter = adminRoutes{}
	_ caddy.Provisioner = adminRoutes{}
)
