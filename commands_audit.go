package cookiepolicy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
	"github.com/cookie-policy/caddy-cookie-policy/audit/output"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// auditQuery is what the audit command is asked.
type auditQuery struct {
	*query
	options audit.Options

	policyFile                        string
	states, by, pagesFile, thirdParty string
	headers                           []string
	maxPages                          int
	output, formats, report           string
	overwrite, screenshots            bool
	failOn, baseline, acceptUntil     string
}

func auditCommand(q *query) *cobra.Command {
	x := &auditQuery{query: q}
	cmd := &cobra.Command{
		Use: "audit [--config <file> | --policy-file <file> | --address <host:port>] [--policy <name>] " +
			"[--state <state,...>] [--output <dir>] [--json] <url>... | --report <audit.json>",
		Short: "Visits a portal with a browser, and compares what it does with the policy",
		Long: `Visits pages of a portal with Chromium, with a new profile for each state: nothing answered (none),
all refused, all granted, granted and then withdrawn. It compares what the browser stores and sends, and
from which third parties pages load, with the policy. A refusal holds only where the same pages set the cookies with consent; what could not be
observed makes a state incomplete. Values of cookies are never kept.

The choice is stored as the gateway writes it (--by stored), or the banner is clicked (--by clicked, with
--accept and --refuse). With --report it writes the reports again from an earlier audit.json, without a
browser.

The exit status is 0 if every state holds, 1 if there are findings, and 2 if the audit could not be
carried out, is incomplete, or did not demonstrate what it should.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			// Whether an address was given: q.run fills in the default one.
			gateway := len(q.addresses) > 0
			return q.run(func(out io.Writer) (int, error) {
				if x.policyFile != "" && (q.config != "" || gateway) {
					return exitFailed, errors.New("--policy-file, --config and --address: want one of the three")
				}
				return x.audit(cmd, out, args)
			})(cmd, args)
		},
	}
	q.configFlags(cmd)
	o, flags := &x.options, cmd.Flags()
	flags.StringVar(&x.policyFile, "policy-file", "",
		"a JSON file with one policy, as GET /cookie-policy/<name>/policy answers or as in a config")
	flags.StringVar(&x.states, "state", "none,refused,granted,withdrawn",
		"the states: none, refused, granted, granted:<key>, withdrawn, gpc")
	flags.StringVar(&x.by, "by", audit.ByStored, "how a choice is made: stored, clicked or both")
	flags.StringVar(&o.Accept, "accept", "", "the CSS selector of the button that grants all")
	flags.StringVar(&o.Refuse, "refuse", "", "the CSS selector of the button that refuses all")
	flags.StringVar(&o.Reopen, "reopen", "", "the CSS selector of what opens the settings again")
	flags.StringVar(&x.pagesFile, "pages", "", "a file with more pages, one URL a line")
	flags.IntVar(&x.maxPages, "max-pages", 8, "how many pages are visited at most")
	flags.DurationVar(&o.Settle, "settle", 8*time.Second, "how long to stay on a page at least: 0s to 30s")
	flags.DurationVar(&o.Timeout, "timeout", 30*time.Second, "how long a page may take to load")
	flags.IntVar(&o.Runs, "runs", 2, "how often each state is visited; the findings of all count")
	flags.StringArrayVar(&o.FirstParty, "first-party", nil, "a domain that belongs to the portal's site")
	flags.StringArrayVar(&x.headers, "header", nil,
		"a field for requests to the pages' own origins, such as 'Authorization: Basic …'; it is in no report")
	flags.BoolVar(&o.Canaries, "canaries", false,
		"before a withdrawal, store a cookie for each rule that needs consent, to see that it is removed")
	flags.StringVar(&o.Browser, "browser", "", "the path of Chromium; default: the one of the search path")
	flags.BoolVar(&o.NoSandbox, "no-sandbox", false, "run the browser without its sandbox, as root has to")
	flags.StringArrayVar(&o.Resolve, "resolve", nil,
		"where a host is: <host>:<port>:<address>, such as data.city.example:443:127.0.0.1:8443")
	flags.StringArrayVar(&o.AcceptCertificate, "accept-certificate", nil,
		"the SHA-256 of a public key (SPKI), in base64, whose certificates are accepted")
	flags.StringVar(&o.Language, "lang", "fr-FR", "the language of the browser")
	flags.StringVar(&o.UserAgent, "user-agent", "",
		"what the browser calls itself; default: what it does when it is not headless")
	flags.StringVar(&x.thirdParty, "third-party-cookies", "allow", "allow or block")
	flags.StringVar(&x.output, "output", "", "the directory for the reports")
	flags.BoolVar(&x.overwrite, "overwrite", false, "replace the audit in the directory")
	flags.StringVar(&x.formats, "format", "html,json,csv,md,har,wec", "the formats of the reports")
	flags.BoolVar(&x.screenshots, "screenshots", false, "keep a picture of each page, with what it shows")
	flags.StringVar(&x.failOn, "fail-on", "",
		"the kinds of findings that count; default: all errors, and not_demonstrated")
	flags.StringVar(&x.baseline, "baseline", "", "an earlier audit.json whose findings do not count")
	flags.StringVar(&x.acceptUntil, "accept-until", "",
		"a file of findings that do not count yet, one a line: <name or id> <date> <reason>")
	flags.StringVar(&x.report, "report", "", "an audit.json to write the reports of again")
	return cmd
}

func (x *auditQuery) audit(cmd *cobra.Command, out io.Writer, args []string) (int, error) {
	excused, err := x.excused()
	if err != nil {
		return exitFailed, err
	}
	if x.report != "" {
		return x.again(out, args, excused)
	}
	if err := x.complete(cmd, args); err != nil {
		return exitFailed, err
	}
	var directory *output.Directory
	var recorded audit.Recorded
	if x.output != "" {
		directory, err = output.Create(x.output, strings.Split(x.formats, ","), x.overwrite, x.options.Version)
		if err != nil {
			return exitFailed, err
		}
		recorded = directory.HAR
		if x.screenshots {
			x.options.Screenshot = directory.Screenshot
		}
	}
	// The browser and its profile are gone when the command ends, also by Ctrl-C.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := audit.Run(ctx, x.options, recorded)
	if ctx.Err() != nil {
		return exitFailed, errors.New("interrupted; no report was written")
	}
	if err != nil {
		return exitFailed, err
	}
	return x.write(out, directory, r, excused)
}

// complete checks the flags and takes the policy. The error holds all that is wrong with the flags.
func (x *auditQuery) complete(cmd *cobra.Command, args []string) error {
	o := &x.options
	var errs []error
	pages := slices.Clone(args)
	if x.pagesFile != "" {
		more, err := lines(x.pagesFile)
		errs = append(errs, err)
		pages = append(pages, more...)
	}
	for _, page := range pages[:min(len(pages), max(1, x.maxPages))] {
		u, err := url.Parse(page)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, fmt.Errorf("%q: want an address such as https://data.example.org/", page))
			continue
		}
		o.Pages = append(o.Pages, u)
	}
	if x.screenshots && x.output == "" {
		errs = append(errs, errors.New("--screenshots: say where to, with --output"))
	}
	if len(pages) == 0 {
		errs = append(errs, errors.New("say which page to visit, such as https://data.example.org/"))
	}
	for _, text := range x.headers {
		h, err := audit.ParseHeader(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--header: %w", err))
		}
		o.Headers = append(o.Headers, h)
	}
	o.States = strings.Split(x.states, ",")
	switch o.By = []string{x.by}; x.by {
	case "both":
		o.By = []string{audit.ByStored, audit.ByClicked}
	}
	if o.Settle < 0 || o.Settle > 30*time.Second {
		errs = append(errs, fmt.Errorf("--settle %v: want 0s to 30s", o.Settle))
	}
	if o.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("--timeout %v: want a time such as 30s", o.Timeout))
	}
	if o.Runs < 1 {
		errs = append(errs, fmt.Errorf("--runs %d: want 1 or more", o.Runs))
	}
	switch x.thirdParty {
	case "allow", "block":
		o.BlockThirdParty = x.thirdParty == "block"
	default:
		errs = append(errs, fmt.Errorf("--third-party-cookies %q: want allow or block", x.thirdParty))
	}
	if err := x.findBrowser(); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	o.Version, _ = caddy.Version()
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && !x.json {
		o.Progress = func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), report.Printable(text)) }
	}
	return x.takePolicy()
}

// findBrowser sets the browser's path. Root has to say that there is no sandbox.
func (x *auditQuery) findBrowser() error {
	o := &x.options
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil && o.Browser == "" {
			o.Browser = path
		}
	}
	if o.Browser == "" {
		return errors.New("there is no Chromium in the search path; install it, or name it with --browser")
	}
	if os.Geteuid() == 0 && !o.NoSandbox {
		return errors.New("there is no sandbox of Chromium for root: run the audit as another user, or say --no-sandbox " +
			"if the machine is one that can be thrown away")
	}
	return nil
}

// takePolicy takes the one policy, or of several that of the first page's host.
func (x *auditQuery) takePolicy() error {
	if x.policyFile != "" {
		p, err := loadPolicy(x.policyFile)
		if err == nil && x.policy != "" && x.policy != p.Resolved.Name() {
			err = fmt.Errorf("--policy %q: the policy of %s is %s", x.policy, x.policyFile,
				report.Printable(p.Resolved.Name()))
		}
		x.options.Policy, x.options.Source = p.Policy, "file"
		return err
	}
	policies, err := x.policies()
	if err != nil {
		return err
	}
	if len(policies) > 1 {
		host := x.options.Pages[0].Hostname()
		policies = slices.DeleteFunc(policies, func(p configuredPolicy) bool { return !slices.Contains(p.Hosts, host) })
		if len(policies) != 1 {
			return fmt.Errorf("%d policies are those of %s: choose one with --policy", len(policies), host)
		}
	}
	x.options.Policy, x.options.Source = policies[0].Policy, "admin"
	if x.config != "" {
		x.options.Source = "config"
		return nil
	}
	asked := *x.query
	asked.policy = policies[0].Resolved.Name()
	x.options.Inventory = func() (report.Inventory, error) {
		a := askAll(&asked, "inventory", report.MergeInventories)
		if a.err != nil {
			return report.Inventory{}, a.err
		}
		return a.reports[0], nil
	}
	return nil
}

// again writes the reports of an earlier audit.
func (x *auditQuery) again(out io.Writer, args []string, excused func(*audit.Finding) bool) (int, error) {
	if len(args) > 0 {
		return exitFailed, fmt.Errorf("--report: %q: no page is visited; remove it", args[0])
	}
	r, err := readAudit(x.report)
	if err != nil {
		return exitFailed, err
	}
	if x.output != "" && filepath.Clean(x.output) == filepath.Dir(x.report) {
		return exitFailed, fmt.Errorf("--output %s: want another directory than that of the audit, whose files are evidence",
			x.output)
	}
	var directory *output.Directory
	if x.output != "" {
		formats := slices.DeleteFunc(strings.Split(x.formats, ","), func(f string) bool { return f == "har" })
		if directory, err = output.Create(x.output, formats, x.overwrite, r.Tool.Version); err != nil {
			return exitFailed, err
		}
	}
	return x.write(out, directory, r, excused)
}

// write writes the reports, and returns the status.
func (x *auditQuery) write(
	out io.Writer, d *output.Directory, r *audit.Report, excused func(*audit.Finding) bool,
) (int, error) {
	digest := ""
	if d != nil {
		var err error
		if digest, err = d.Write(r); err != nil {
			return exitFailed, err
		}
	}
	if x.json {
		b, err := output.JSON(r)
		if err == nil {
			_, err = out.Write(escapeInvisible(b))
		}
		if err != nil {
			return exitFailed, err
		}
	} else {
		printAudit(out, r, excused)
		if digest != "" {
			fmt.Fprintf(out, "\n%s  %s/SHA256SUMS\n", digest, x.output)
		}
	}
	var failOn []string
	if x.failOn != "" {
		failOn = strings.Split(x.failOn, ",")
	}
	status, why := r.Status(failOn, excused)
	if status != audit.StatusHolds {
		return status, errors.New(why)
	}
	return exitDone, nil
}

// excused returns which findings do not count: those of the baseline, and those that are accepted until
// a day that has not passed.
func (x *auditQuery) excused() (func(*audit.Finding) bool, error) {
	known := map[string]bool{}
	if x.baseline != "" {
		r, err := readAudit(x.baseline)
		if err != nil {
			return nil, err
		}
		for _, f := range r.Findings {
			known[f.ID] = true
		}
	}
	if x.acceptUntil != "" {
		accepted, err := lines(x.acceptUntil)
		if err != nil {
			return nil, err
		}
		for _, line := range accepted {
			words := strings.Fields(line)
			if len(words) < 3 {
				return nil, fmt.Errorf("%s: %q: want a name, a date and a reason", x.acceptUntil, line)
			}
			until, err := time.Parse(time.DateOnly, words[1])
			if err != nil {
				return nil, fmt.Errorf("%s: %q: want a date such as 2026-12-31", x.acceptUntil, words[1])
			}
			if time.Now().Before(until.AddDate(0, 0, 1)) {
				known[words[0]] = true
			}
		}
	}
	return func(f *audit.Finding) bool { return known[f.ID] || known[f.Name] }, nil
}

// readAudit reads an audit.json.
func readAudit(path string) (*audit.Report, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := new(audit.Report)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Schema != audit.Schema {
		return nil, fmt.Errorf("%s: schema %q: want %q, as this program writes it", path, r.Schema, audit.Schema)
	}
	return r, nil
}

// lines returns the lines of a file without blanks around them, empty ones and comments.
func lines(path string) (all []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if line := strings.TrimSpace(scanner.Text()); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all, scanner.Err()
}
