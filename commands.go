package cookiepolicy

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

func init() {
	var c command
	flags := flag.NewFlagSet("cookie-policy", flag.ContinueOnError)
	flags.Var(&c.addresses, "address", "a gateway's admin address, such as localhost:2019; several are merged into one answer")
	flags.StringVar(&c.policy, "policy", "", "the policy's name; may be left out where a gateway has one policy only")
	flags.BoolVar(&c.json, "json", false, "write JSON instead of a table")
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "cookie-policy",
		Usage: "inventory|drift [--address <host:port>]... [--policy <name>] [--json]",
		Short: "Shows which cookies gateways met, and where a portal and its policy differ",
		Long: `inventory lists every cookie name that the gateways met: on which channel, by which rule, how often, with which attributes.

drift lists where the portal and the policy differ: cookies that no rule names, rules whose cookies were never met, cookies that live longer
or have weaker attributes than declared, necessary cookies that browsers never send back.

Both ask the admin endpoint of running gateways. The exit status is 0 without drift, 1 with it, and 2 where a gateway could not be asked.`,
		Flags: flags,
		Func: func(f caddycmd.Flags) (int, error) {
			return c.run(f.Args(), os.Stdout)
		},
	})
}

// Exit statuses of the command.
const (
	exitNoDrift  = 0
	exitDrift    = 1
	exitNotAsked = 2
)

// command is `caddy cookie-policy`.
type command struct {
	addresses addresses
	policy    string
	json      bool
}

// addresses is a flag that may be given several times.
type addresses []string

func (a *addresses) String() string { return strings.Join(*a, ", ") }

// Set adds an address.
func (a *addresses) Set(address string) error {
	*a = append(*a, address)
	return nil
}

func (c *command) run(args []string, out io.Writer) (status int, err error) {
	if len(args) != 1 || args[0] != "inventory" && args[0] != "drift" {
		return exitNotAsked, errors.New("say what to show: inventory or drift")
	}
	gateways := c.addresses
	if len(gateways) == 0 {
		gateways = addresses{caddy.DefaultAdminListen}
	}
	if args[0] == "inventory" {
		report, err := askAll(gateways, c.policy, "inventory", enforcer.MergeReports)
		if err != nil {
			return exitNotAsked, err
		}
		return exitNoDrift, c.write(out, report, func(w io.Writer) { printReport(w, &report) })
	}
	drift, err := askAll(gateways, c.policy, "drift", enforcer.MergeDrifts)
	if err != nil {
		return exitNotAsked, err
	}
	if err := c.write(out, drift, func(w io.Writer) { printDrift(w, &drift) }); err != nil {
		return exitNotAsked, err
	}
	if n := len(drift.Findings); n > 0 {
		return exitDrift, fmt.Errorf("the portal and the policy differ; findings: %d", n)
	}
	return exitNoDrift, nil
}

func (c *command) write(out io.Writer, v any, table func(io.Writer)) error {
	if c.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "\t")
		return encoder.Encode(v)
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	table(w)
	return w.Flush()
}

// askAll asks every gateway, and merges the answers. All faults are told at once.
func askAll[T any](gateways []string, policy, what string, merge func([]T) T) (merged T, err error) {
	var answers []T
	var errs []error
	for _, gateway := range gateways {
		var answer T
		if err := askOne(gateway, policy, what, &answer); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", gateway, err))
			continue
		}
		answers = append(answers, answer)
	}
	if len(errs) > 0 {
		return merged, errors.Join(errs...)
	}
	return merge(answers), nil
}

func askOne(gateway, policy, what string, answer any) error {
	if policy == "" {
		var policies []policyInForce
		if err := get(gateway, "policies", &policies); err != nil {
			return err
		}
		if len(policies) != 1 {
			names := make([]string, len(policies))
			for i := range policies {
				names[i] = policies[i].Name
			}
			return fmt.Errorf("this gateway has %d policies (%s); choose one with --policy", len(policies), strings.Join(names, ", "))
		}
		policy = policies[0].Name
	}
	return get(gateway, url.PathEscape(policy)+"/"+what, answer)
}

// get asks a gateway's admin endpoint, at an address as Caddy writes it.
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
		req.Header.Set("Origin", origin) // endpoints with enforce_origin want it, sockets refuse it
	}
	client := &http.Client{Timeout: 30 * time.Second, Transport: transport}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var problem struct{ Error string }
		_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&problem)
		return fmt.Errorf("%s: %s", resp.Status, enforcer.Printable(problem.Error))
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("this is no answer of a gateway with cookie_policy: %w", err)
	}
	return nil
}

func printReport(w io.Writer, r *enforcer.Report) {
	fmt.Fprintf(w, "Policy %s, digest %s, observed since %s\n\n", enforcer.Printable(r.Policy), enforcer.Printable(r.Digest), r.Since.UTC().Format(time.RFC3339))
	fmt.Fprintln(w, "COOKIE\tCHANNEL\tCATEGORY\tCOUNT\tLET THROUGH\tREFUSED\tDELETIONS\tEXPIRED\tLIFETIME\tLAST\tHOSTS")
	for i := range r.Cookies {
		item := &r.Cookies[i]
		lifetime := ""
		if item.Session {
			lifetime = "session"
		}
		if item.Lifetime > 0 {
			lifetime = (enforcer.Duration(item.Lifetime) * enforcer.Duration(time.Second)).String()
		}
		v := item.Verdicts
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", enforcer.Printable(item.Name), enforcer.Printable(item.Channel), enforcer.Printable(string(item.Category)), item.Count,
			v["let_through"], v["refused"], v["deletion"], v["expired"], lifetime, item.Last.UTC().Format(time.RFC3339), enforcer.Printable(strings.Join(item.Hosts, " ")))
	}
	if r.Overflow > 0 {
		fmt.Fprintf(w, "\n%d more cookies had names for which there was no room.\n", r.Overflow)
	}
}

func printDrift(w io.Writer, d *enforcer.Drift) {
	fmt.Fprintf(w, "Policy %s, digest %s, observed since %s\n\n", enforcer.Printable(d.Policy), enforcer.Printable(d.Digest), d.Since.UTC().Format(time.RFC3339))
	if len(d.Findings) == 0 {
		fmt.Fprintln(w, "The portal and the policy do not differ.")
		return
	}
	fmt.Fprintln(w, "FINDING\tCOOKIE\tDETAIL")
	for _, f := range d.Findings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", enforcer.Printable(f.Kind), enforcer.Printable(f.Cookie), enforcer.Printable(f.Detail))
	}
}
