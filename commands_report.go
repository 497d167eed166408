package cookiepolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
	"github.com/cookie-policy/caddy-cookie-policy/evidence/print"
)

// reportQuery is what the report command is asked.
type reportQuery struct {
	*query
	since, until string
	language     string
	html         bool
}

func reportCommand(q *query) *cobra.Command {
	r := &reportQuery{query: q}
	cmd := &cobra.Command{
		Use: "report [--since <day>] [--until <day>] [--address <host:port>... | --fleet] [--policy <name>] " +
			"[--language en|fr] [--html | --json]",
		Short: "Writes what an auditor asks for: what was in force, met, refused and chosen, by day",
		Long: `Writes what an auditor asks for, for some days: which policy was in force when and how it changed, the
verdicts by day, the cookies that were met and what became of them, third parties that browsers reported,
choices by consent key, where portal and policy differ, gaps in the observation, and whether the chain of
days holds. Values are never kept.

It is Markdown, or with --html one file for a browser and for print, or with --json the data. Days are
those of UTC. Without --policy it answers for every policy. Of several addresses, each answers for itself;
with --fleet, one answers for all that keep their evidence in one storage.

The exit status is 0 if the command was carried out, and 2 if not, or if something is missing in the
report: a gateway could not be asked, or a record not be read. The rest is written all the same.`,
		Args: noArgs,
		RunE: q.run(r.report),
	}
	q.fleetFlag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&r.since, "since", "", "the first day, such as 2026-01-15; by default 30 days before today")
	flags.StringVar(&r.until, "until", "", "the last day; by default today")
	flags.StringVar(&r.language, "language", print.Languages[0],
		"the language of the text: "+strings.Join(print.Languages, " or "))
	flags.BoolVar(&r.html, "html", false, "write one HTML file, without scripts, which can be printed")
	return cmd
}

// report writes the evidence of all gateways and returns the exit status.
func (q *reportQuery) report(out io.Writer) (int, error) {
	now := time.Now().UTC()
	days, err := q.days(now)
	if err != nil {
		return exitFailed, err
	}
	r := &print.Report{Program: program(), At: now, Command: q.command(), Policies: []print.Answer{}}
	err = q.ask(r, days)
	if len(r.Policies) > 0 {
		if err := q.write(out, r); err != nil {
			return exitFailed, err
		}
	}
	if err != nil {
		return exitFailed, err
	}
	return exitDone, nil
}

// days returns what is asked of a gateway. The days are always said, so that all gateways answer for the same.
// The error holds all that is wrong with the flags.
func (q *reportQuery) days(now time.Time) (url.Values, error) {
	var errs []error
	day := func(flag, given string, otherwise time.Time) string {
		if given == "" {
			return otherwise.Format(time.DateOnly)
		}
		if _, err := time.Parse(time.DateOnly, given); err != nil {
			errs = append(errs, fmt.Errorf("--%s %q: this is no day; write one such as 2026-01-15", flag, given))
		}
		return given
	}
	until := day("until", q.until, now)
	last, err := time.Parse(time.DateOnly, until)
	if err != nil {
		last = now
	}
	since := day("since", q.since, last.AddDate(0, 0, -daysOfReport))
	if len(errs) == 0 && since > until {
		errs = append(errs, fmt.Errorf("--since %s is after --until %s", since, until))
	}
	if !slices.Contains(print.Languages, q.language) {
		errs = append(errs, fmt.Errorf("--language %q: there is no report in this language; want %s", q.language,
			strings.Join(print.Languages, " or ")))
	}
	if q.html && q.json {
		errs = append(errs, errors.New("--html and --json: want one of the two"))
	}
	scope := evidence.ScopeInstance
	if q.fleet {
		scope = evidence.ScopeFleet
	}
	return url.Values{"since": {since}, "until": {until}, "scope": {scope}}, errors.Join(errs...)
}

// ask asks all gateways about their policies, in the order of the policies' names.
func (q *reportQuery) ask(r *print.Report, days url.Values) error {
	var errs []error
	unanswered := func(address, what string, err error) {
		said := fmt.Errorf("%s: %s%w", withoutSecrets(address), what, hideSecrets(address, err))
		errs, r.Unanswered = append(errs, said), append(r.Unanswered, said.Error())
	}
	gateways := make([]gateway, len(q.addresses))
	names := map[string]bool{}
	for i, address := range q.addresses {
		r.Addresses = append(r.Addresses, withoutSecrets(address))
		gateways[i] = listPolicies(address)
		if err := gateways[i].err; err != nil {
			unanswered(address, "", err)
		}
		for _, name := range gateways[i].policies {
			names[name] = true
		}
	}
	if len(errs) < len(gateways) {
		if err := q.choose(names); err != nil {
			errs = append(errs, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		for _, g := range gateways {
			if !slices.Contains(g.policies, name) {
				continue
			}
			answer := print.Answer{Address: withoutSecrets(g.address)}
			what := "policy " + report.Printable(name) + ": "
			if err := get(g.address, url.PathEscape(name)+"/report?"+days.Encode(), &answer.Report); err != nil {
				unanswered(g.address, what, err)
				continue
			}
			if answer.Scope != days.Get("scope") || answer.Since != days.Get("since") || answer.Until != days.Get("until") {
				unanswered(g.address, what, errors.New("this gateway did not answer what it was asked"))
				continue
			}
			for _, problem := range answer.Problems {
				errs = append(errs, fmt.Errorf("%s: %s%s", withoutSecrets(g.address), what, report.Printable(problem)))
			}
			r.Policies = append(r.Policies, answer)
		}
	}
	return errors.Join(errs...)
}

func (q *reportQuery) write(out io.Writer, r *print.Report) error {
	switch {
	case q.json:
		b, err := json.MarshalIndent(r, "", "\t")
		if err != nil {
			return err
		}
		_, err = out.Write(append(escapeInvisible(b), '\n'))
		return err
	case q.html:
		return print.HTML(out, r, q.language)
	}
	return print.Markdown(out, r, q.language)
}

// command returns the command as it was given, without secrets.
func (q *reportQuery) command() string {
	words := []string{"caddy cookie-policy report"}
	for _, flag := range []struct {
		name, value string
		isShown     bool
	}{
		{"since", q.since, q.since != ""}, {"until", q.until, q.until != ""}, {"policy", q.policy, q.policy != ""},
		{"fleet", "", q.fleet}, {"language", q.language, q.language != print.Languages[0]},
		{"html", "", q.html}, {"json", "", q.json},
	} {
		if flag.isShown {
			words = append(words, strings.TrimSpace("--"+flag.name+" "+flag.value))
		}
	}
	for _, address := range q.addresses {
		words = append(words, "--address "+withoutSecrets(address))
	}
	return strings.Join(words, " ")
}

// withoutSecrets returns an address without what can be a secret: a user and a password, a query, a fragment.
func withoutSecrets(address string) string {
	if strings.HasPrefix(address, "unix") {
		return report.Printable(address)
	}
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		scheme, rest = "", address
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if end := strings.IndexAny(rest, "?#"); end >= 0 {
		rest = rest[:end]
	}
	if found {
		rest = scheme + "://" + rest
	}
	return report.Printable(rest)
}

// hideSecrets returns an error of asking an address, without the secrets of the address.
func hideSecrets(address string, err error) error {
	at := strings.LastIndexByte(address, '@')
	if at < 0 || strings.HasPrefix(address, "unix") || !strings.Contains(err.Error(), address[:at]) {
		return err
	}
	return errors.New("this is no address of a gateway")
}

// program returns the name and version of this module, and the version of Caddy.
func program() string {
	const module = "github.com/cookie-policy/caddy-cookie-policy"
	version := "(unknown version)"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module && m.Version != "" {
				version = m.Version
			}
		}
	}
	_, full := caddy.Version()
	return "caddy-cookie-policy " + version + ", Caddy " + full
}
