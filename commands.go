package cookiepolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "cookie-policy",
		Usage: "inventory|drift [--address <host:port>]... [--policy <name>] [--json]",
		Short: "Shows which cookies gateways met, and where a portal and its policy differ",
		Long: `The commands ask the admin endpoint of running gateways.

The exit status is 0 if the command was carried out, 1 if it has findings, and 2 if it could not be
carried out.`,
		CobraFunc: func(cmd *cobra.Command) {
			q := newQuery(cmd)
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				return failed(cmd, fmt.Errorf("%s; want inventory or drift", unknownCommand(args)))
			}
			// Caddy's own status for a misspelt flag is 1, which means findings here.
			cmd.SetFlagErrorFunc(failed)
			cmd.AddCommand(inventoryCommand(q), driftCommand(q))
		},
	})
}

// Exit statuses of the commands.
const (
	exitDone     = 0
	exitFindings = 1
	exitFailed   = 2
)

func unknownCommand(args []string) string {
	if len(args) == 0 {
		return "say what to show"
	}
	return fmt.Sprintf("%q: no such command", args[0])
}

// failed returns an error that ends the program with the status of a command that could not be
// carried out.
func failed(cmd *cobra.Command, err error) error {
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) {
		return exitFailed, err
	})(cmd, nil)
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return failed(cmd, fmt.Errorf("%q: %s takes no arguments", args[0], cmd.Name()))
	}
	return nil
}

func inventoryCommand(q *query) *cobra.Command {
	return &cobra.Command{
		Use:   "inventory [--address <host:port>]... [--policy <name>] [--json]",
		Short: "Lists every cookie name that the gateways met",
		Long: `Lists every cookie name that the gateways met: on which channel, in which mode, by which rule, how
often, and with which attributes. Values are never kept.

The exit status is 0 if the command was carried out, and 2 if a gateway could not be asked.`,
		Args: noArgs,
		RunE: q.run(q.inventory),
	}
}

// inventory writes the inventory of all gateways and returns the exit status.
func (q *query) inventory(out io.Writer) (int, error) {
	inventory, err := askAll(q, "inventory", report.MergeInventories)
	if err != nil {
		return exitFailed, err
	}
	if err := q.write(out, inventory, func(w io.Writer) { printInventory(w, &inventory) }); err != nil {
		return exitFailed, err
	}
	return exitDone, nil
}

func driftCommand(q *query) *cobra.Command {
	return &cobra.Command{
		Use:   "drift [--address <host:port>]... [--policy <name>] [--json]",
		Short: "Lists where the portal and its policy differ",
		Long: `Lists where the portal and its policy differ: cookies that no rule names, rules whose cookies were
never met, cookies that live longer or have weaker attributes than declared, and necessary cookies
that browsers never send back.

The exit status is 0 if there is no drift, 1 if there is, and 2 if a gateway could not be asked.`,
		Args: noArgs,
		RunE: q.run(q.drift),
	}
}

// drift writes the drift that all gateways found and returns the exit status.
func (q *query) drift(out io.Writer) (int, error) {
	drift, err := askAll(q, "drift", report.MergeDrifts)
	if err != nil {
		return exitFailed, err
	}
	if err := q.write(out, drift, func(w io.Writer) { printDrift(w, &drift) }); err != nil {
		return exitFailed, err
	}
	if n := len(drift.Findings); n > 0 {
		return exitFindings, fmt.Errorf("the portal and the policy differ; findings: %d", n)
	}
	return exitDone, nil
}

// query is what the commands ask gateways, and how they show the answer. All of them share the flags.
type query struct {
	addresses []string
	policy    string
	json      bool
}

func newQuery(cmd *cobra.Command) *query {
	q := new(query)
	flags := cmd.PersistentFlags()
	flags.StringArrayVar(&q.addresses, "address", nil,
		"a gateway's admin address, such as localhost:2019; several are merged into one answer")
	flags.StringVar(&q.policy, "policy", "",
		"the policy's name; may be left out if a gateway has one policy only")
	flags.BoolVar(&q.json, "json", false, "write JSON instead of a table")
	return q
}

// run returns a function for cobra that carries the command out.
func (q *query) run(f func(io.Writer) (int, error)) func(*cobra.Command, []string) error {
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) {
		if len(q.addresses) == 0 {
			q.addresses = []string{caddy.DefaultAdminListen}
		}
		return f(os.Stdout)
	})
}

// write writes the answer as JSON or as a table.
func (q *query) write(out io.Writer, v any, table func(io.Writer)) error {
	if q.json {
		b, err := json.MarshalIndent(v, "", "\t")
		if err != nil {
			return err
		}
		_, err = out.Write(append(escapeInvisible(b), '\n'))
		return err
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	table(w)
	return w.Flush()
}

// askAll asks every gateway and merges the answers. The error holds the faults of all gateways.
func askAll[T any](q *query, what string, merge func([]T) T) (merged T, err error) {
	var answers []T
	var errs []error
	for _, gateway := range q.addresses {
		var answer T
		if err := askOne(gateway, q.policy, what, &answer); err != nil {
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

func printInventory(w io.Writer, i *report.Inventory) {
	printHead(w, i.Policy, i.Digest, i.Since)
	fmt.Fprintln(w, "COOKIE\tCHANNEL\tMODE\tCATEGORY\tCOUNT\tLET THROUGH\tREFUSED\tDELETIONS\tEXPIRED\t"+
		"WOULD REFUSE\tWOULD EXPIRE\tLIFETIME\tLAST\tHOSTS")
	for _, c := range i.Cookies {
		lifetime := ""
		if c.Session {
			lifetime = "session"
		}
		if c.Lifetime > 0 {
			lifetime = (policy.Duration(c.Lifetime) * policy.Duration(time.Second)).String()
		}
		v := c.Verdicts
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n",
			report.Printable(c.Name), report.Printable(c.Channel), report.Printable(c.Mode),
			report.Printable(string(c.Category)), c.Count, v["let_through"], v["refused"], v["deletion"],
			v["expired"], v["would_refuse"], v["would_expire"], lifetime,
			c.Last.UTC().Format(time.RFC3339), report.Printable(strings.Join(c.Hosts, " ")))
	}
	if i.Overflow > 0 {
		fmt.Fprintf(w, "\n%d more cookies had names for which there was no room.\n", i.Overflow)
	}
}

func printDrift(w io.Writer, d *report.Drift) {
	printHead(w, d.Policy, d.Digest, d.Since)
	if len(d.Findings) == 0 {
		fmt.Fprintln(w, "The portal and the policy do not differ.")
		return
	}
	fmt.Fprintln(w, "FINDING\tCOOKIE\tDETAIL")
	for _, f := range d.Findings {
		fmt.Fprintf(w, "%s\t%s\t%s\n",
			report.Printable(f.Kind), report.Printable(f.Cookie), report.Printable(f.Detail))
	}
}

func printHead(w io.Writer, policy, digest string, since time.Time) {
	fmt.Fprintf(w, "Policy %s, digest %s, observed since %s\n\n",
		report.Printable(policy), report.Printable(digest), since.UTC().Format(time.RFC3339))
}
