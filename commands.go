package cookiepolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name: "cookie-policy",
		Usage: "inventory|drift|report|explain|audit|page|import|compare " +
			"[--config <file> | --address <host:port>... | --fleet] [--policy <name>] [--json]",
		Short: "Shows what gateways met, where a portal and its policy differ, and why a cookie was refused",
		Long: `The commands ask the admin endpoint of running gateways. Those with --config take the policies from a
config file instead.

The exit status is 0 if the command was carried out, 1 if it has findings, and 2 if it could not be
carried out.`,
		CobraFunc: func(cmd *cobra.Command) {
			q := newQuery(cmd)
			cmd.Args = cobra.ArbitraryArgs
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				return failed(cmd, fmt.Errorf("%s; want inventory, drift, report, explain, audit, page, import or compare",
					unknownCommand(args)))
			}
			// Caddy's own status for a misspelt flag is 1, which means findings here.
			cmd.SetFlagErrorFunc(failed)
			cmd.AddCommand(inventoryCommand(q), driftCommand(q), reportCommand(q), explainCommand(q), auditCommand(q),
				pageCommand(q), importCommand(q), compareCommand(q))
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
	cmd := &cobra.Command{
		Use:   "inventory [--address <host:port>... | --fleet] [--policy <name>] [--json]",
		Short: "Lists every cookie name that the gateways met",
		Long: `Lists every cookie name that the gateways met: on which channel, in which mode, by which rule, how
often, and with which attributes. Values are never kept. Without --policy it lists those of every policy.

The exit status is 0 if the command was carried out, 1 if several gateways do not have the same
policies, and 2 if a gateway could not be asked; what the others answered is printed all the same.`,
		Args: noArgs,
		RunE: q.run(q.inventory),
	}
	q.fleetFlag(cmd)
	return cmd
}

// fleetFlag adds the flag by which one gateway answers for all.
func (q *query) fleetFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&q.fleet, "fleet", false,
		"ask one gateway to answer for all that keep their evidence in one storage, also for those that no longer run")
}

// inventoryAnswer is an inventory with what --fleet adds to it.
type inventoryAnswer struct {
	report.Inventory
	*evidence.About
}

// inventory writes the inventory of all gateways and returns the exit status.
func (q *query) inventory(out io.Writer) (int, error) {
	a := askAll(q, "inventory", report.MergeInventories)
	findings := 0
	answers := make([]inventoryAnswer, len(a.reports))
	for i, inventory := range a.reports {
		answers[i].Inventory = inventory
		findings += len(inventory.Findings)
		if q.fleet {
			answers[i].About = a.abouts[i]
		}
	}
	if err := writeReports(q, out, answers, printInventory); err != nil {
		return exitFailed, err
	}
	return status(a.err, findings, "the gateways do not have the same policies")
}

func driftCommand(q *query) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drift [--address <host:port>... | --fleet] [--policy <name>] [--suggest] [--json]",
		Short: "Lists where the portal and its policy differ",
		Long: `Lists where the portal and its policy differ: cookies that no rule names, rules whose cookies were
never met, cookies that live longer or have weaker attributes than declared, and necessary cookies
that browsers never send back. With load, also what browsers reported of the third parties that pages
load from; those of less than three days are rare. Without --policy it answers for every policy.

With --suggest it writes, in place of the table, a Caddyfile line for each cookie that no rule names, and
each third party that is not rare. Which category it belongs to is left open, and the lines do not load
before it is filled in.

The exit status is 0 if there is no drift and the gateways have the same policies, 1 otherwise, and 2 if
a gateway could not be asked. Origins that are rare do not count as drift. The answers of the other
gateways are printed in any case.`,
		Args: noArgs,
		RunE: q.run(q.drift),
	}
	cmd.Flags().BoolVar(&q.suggest, "suggest", false, "write allow lines for the cookies that no rule names")
	q.fleetFlag(cmd)
	return cmd
}

// driftAnswer is a drift with what --suggest adds to it.
type driftAnswer struct {
	report.Drift
	*evidence.About        // with --fleet
	Suggest         string `json:"suggest,omitempty"` // lines of a Caddyfile
}

// drift writes the drift that all gateways found and returns the exit status.
func (q *query) drift(out io.Writer) (int, error) {
	a := askAll(q, "drift", report.MergeDrifts)
	var inventories asked[report.Inventory] // which hold the attributes
	table := printDrift
	if q.suggest && len(a.reports) > 0 {
		inventories = askAll(q, "inventory", report.MergeInventories)
		table = printSuggestions
	}
	findings := 0
	answers := make([]driftAnswer, len(a.reports))
	for i, drift := range a.reports {
		answers[i].Drift = drift
		findings += report.Counted(drift.Findings)
		if q.fleet {
			answers[i].About = a.abouts[i]
		}
		if q.suggest {
			answers[i].Suggest = suggest(&drift, inventories.reports)
		}
	}
	if err := writeReports(q, out, answers, table); err != nil {
		return exitFailed, err
	}
	if a.err == nil {
		a.err = inventories.err
	}
	return status(a.err, findings, "the portal and the policy differ")
}

// status returns the exit status of a command that looks for findings.
func status(err error, findings int, summary string) (int, error) {
	switch {
	case err != nil:
		return exitFailed, err
	case findings > 0:
		return exitFindings, fmt.Errorf("%s; findings: %d", summary, findings)
	}
	return exitDone, nil
}

// query is what the commands ask gateways, and how they show the answer. All of them share the flags.
type query struct {
	addresses []string
	policy    string
	json      bool
	suggest   bool // for drift
	fleet     bool // for inventory, drift and report

	config, adapter string // for the commands that have configFlags
}

func newQuery(cmd *cobra.Command) *query {
	q := new(query)
	flags := cmd.PersistentFlags()
	flags.StringArrayVar(&q.addresses, "address", nil,
		"a gateway's admin address, such as localhost:2019; several are merged into one answer")
	flags.StringVar(&q.policy, "policy", "",
		"the policy's name; without it, every policy is answered for")
	flags.BoolVar(&q.json, "json", false, "write JSON instead of a table")
	return q
}

// run returns a function for cobra that carries the command out.
func (q *query) run(f func(io.Writer) (int, error)) func(*cobra.Command, []string) error {
	return q.runArgs(func(cmd *cobra.Command, _ []string) (int, error) { return f(cmd.OutOrStdout()) })
}

// runArgs is run for a command with arguments.
func (q *query) runArgs(f func(*cobra.Command, []string) (int, error)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) {
			if q.config != "" && len(q.addresses) > 0 {
				return exitFailed, errors.New("--config and --address: want one of the two")
			}
			if q.adapter != "" && q.config == "" {
				return exitFailed, errors.New("--adapter: it is for the file of --config, which is missing")
			}
			if q.fleet && len(q.addresses) > 1 {
				return exitFailed, errors.New("--fleet: one gateway answers for all; want one --address")
			}
			if len(q.addresses) == 0 {
				q.addresses = []string{caddy.DefaultAdminListen}
			}
			return f(cmd, args)
		})(cmd, args)
	}
}

// writeReports writes one report for each policy: all in one JSON document, or one section each. A
// policy that was chosen by its name is a document of its own. Without a report nothing is written.
func writeReports[T any](q *query, out io.Writer, reports []T, table func(io.Writer, *T) error) error {
	if len(reports) == 0 {
		return nil
	}
	if q.json {
		var document any = struct {
			Policies []T `json:"policies"`
		}{reports}
		if q.policy != "" {
			document = reports[0]
		}
		b, err := json.MarshalIndent(document, "", "\t")
		if err != nil {
			return err
		}
		_, err = out.Write(append(escapeInvisible(b), '\n'))
		return err
	}
	for i := range reports {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := table(out, &reports[i]); err != nil {
			return err
		}
	}
	return nil
}

// columns returns a writer that aligns cells, which end in tabs.
func columns(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 8, 2, ' ', 0) }

func printInventory(out io.Writer, i *inventoryAnswer) error {
	w := columns(out)
	printHead(w, i.Policy, i.Digest, i.Since)
	printInstances(w, i.About)
	if len(i.Findings) > 0 {
		printFindings(w, i.Findings, i.Digest)
		fmt.Fprintln(w)
	}
	by := column{i.Digest == report.Different}
	fmt.Fprintln(w, by.digest("DIGEST")+"COOKIE\tCHANNEL\tMODE\tCATEGORY\tCOUNT\tLET THROUGH\tREFUSED\t"+
		"DELETIONS\tEXPIRED\tWOULD REFUSE\tWOULD EXPIRE\tLIFETIME\tLAST\tHOSTS")
	for _, c := range i.Cookies {
		lifetime := ""
		if c.Session {
			lifetime = "session"
		}
		if c.Lifetime > 0 {
			lifetime = seconds(c.Lifetime).String()
		}
		v := c.Verdicts
		fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", by.digest(c.Digest),
			report.Printable(c.Name), report.Printable(c.Channel), report.Printable(c.Mode),
			report.Printable(string(c.Category)), c.Count, v["let_through"], v["refused"], v["deletion"],
			v["expired"], v["would_refuse"], v["would_expire"], lifetime,
			c.Last.UTC().Format(time.RFC3339), printableWords(strings.Join(c.Hosts, " ")))
	}
	printOrigins(w, i.Origins, by)
	if i.Overflow > 0 {
		fmt.Fprintf(w, "\n%d more cookies had names for which there was no room.\n", i.Overflow)
	}
	return w.Flush()
}

// printOrigins prints the third parties that browsers reported, and nothing if there are none.
func printOrigins(w io.Writer, origins []report.Origin, by column) {
	if len(origins) == 0 {
		return
	}
	fmt.Fprintln(w, "\n"+by.digest("DIGEST")+"ORIGIN\tCATEGORY\tREPORTS\tDAYS\tGRANTED\tREFUSED\tUNDECIDED\tLAST\tLOADED AS")
	for _, o := range origins {
		fmt.Fprintf(w, "%s%s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", by.digest(o.Digest),
			report.Printable(o.Origin), report.Printable(string(o.Category)), o.Count, o.Days, o.Granted,
			o.Refused, o.Undecided, o.Last.UTC().Format(time.RFC3339), printableWords(strings.Join(o.Directives, " ")))
	}
}

func printDrift(out io.Writer, d *driftAnswer) error {
	w := columns(out)
	printHead(w, d.Policy, d.Digest, d.Since)
	printInstances(w, d.About)
	if report.Counted(d.Findings) == 0 {
		fmt.Fprintln(w, "The portal and the policy do not differ.")
		if len(d.Findings) > 0 {
			fmt.Fprintln(w)
		}
	}
	if len(d.Findings) > 0 {
		printFindings(w, d.Findings, d.Digest)
	}
	return w.Flush()
}

func printFindings(w io.Writer, findings []report.Finding, digest string) {
	by := column{digest == report.Different}
	fmt.Fprintln(w, by.digest("DIGEST")+"FINDING\tCOOKIE\tDETAIL")
	for _, f := range findings {
		fmt.Fprintf(w, "%s%s\t%s\t%s\n", by.digest(f.Digest),
			report.Printable(f.Kind), report.Printable(f.Subject()), printableWords(f.Detail))
	}
}

// column is a column for digests, which is shown if gateways differ.
type column struct{ shown bool }

// digest returns the start of a digest as a cell.
func (c column) digest(digest string) string {
	if !c.shown {
		return ""
	}
	const enough = 8
	return report.Printable(digest[:min(enough, len(digest))]) + "\t"
}

func printHead(w io.Writer, policy, digest string, since time.Time) {
	fmt.Fprintf(w, "Policy %s, digest %s, observed since %s\n\n",
		report.Printable(policy), report.Printable(digest), since.UTC().Format(time.RFC3339))
}

// printInstances prints the gateways of a fleet, and nothing without one.
func printInstances(w io.Writer, about *evidence.About) {
	if about == nil {
		return
	}
	fmt.Fprintln(w, "INSTANCE\tSTATE\tDIGEST\tMODE\tREQUESTS\tOBSERVED FROM\tUNTIL")
	for _, i := range about.Instances {
		state := "gone"
		if i.Live {
			state = "runs"
		}
		fmt.Fprintf(w, "%s\t%s\t%s%s\t%d\t%s\t%s\n", report.Printable(i.Instance), state,
			column{true}.digest(i.Digest), report.Printable(i.Mode), i.Requests,
			i.Since.UTC().Format(time.RFC3339), i.Written.UTC().Format(time.RFC3339))
	}
	fmt.Fprintln(w)
}

// printableWords makes each word printable, so that only long words are cut, not long lists of them.
func printableWords(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		words[i] = report.Printable(word)
	}
	return strings.Join(words, " ")
}

// seconds returns a lifetime in seconds as a duration of the configuration.
func seconds(n int64) policy.Duration {
	return policy.Duration(n) * policy.Duration(time.Second)
}
