package cookiepolicy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	bcp47 "golang.org/x/text/language"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/published"
)

// importQuery is what the import command is asked.
type importQuery struct {
	*query
	pageFlags
	preset string
}

// pageFlags are the flags by which a command reads a published page.
type pageFlags struct {
	language string
	local    bool
}

func (f *pageFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.language, "language", "",
		"the language of the page's texts, such as fr; default: what the page says or shows")
	cmd.Flags().BoolVar(&f.local, "local", false, "also fetch from addresses that are not public")
}

// read reads a published page.
func (f *pageFlags) read(ctx context.Context, place string) (*published.Page, error) {
	if f.language != "" {
		if _, err := bcp47.Parse(f.language); err != nil {
			return nil, fmt.Errorf("--language %q: want a language tag such as fr", f.language)
		}
	}
	d, err := readDocument(ctx, place, f.local)
	if err != nil {
		return nil, err
	}
	page := published.Read(d.text, published.KindOf(d.contentType, d.text))
	if f.language != "" {
		page.Language = f.language
	}
	return page, nil
}

func importCommand(q *query) *cobra.Command {
	x := &importQuery{query: q}
	cmd := &cobra.Command{
		Use:   "import [--language <tag>] [--preset <name>] [--local] [--json] <file>|<url>|-",
		Short: "Writes a policy from a published cookie policy",
		Long: `Reads a published cookie policy, a page of HTML or text, from a file, an address or the standard input,
and writes a cookie_policy block. What was understood, assumed and not understood is told on standard
error, with the line of the page. A row in doubt becomes a comment: no name is invented, and no cookie
is necessary unless the page says so.

The exit status is 0 if everything was understood, 1 if something was not, and 2 if no cookie was found
or the page could not be read.`,
		Args: onePage,
		RunE: q.runArgs(x.run),
	}
	x.add(cmd)
	cmd.Flags().StringVar(&x.preset, "preset", "",
		"the preset that brings the preference, such as klaro; default: opendatasoft where its four cookies stand")
	return cmd
}

// onePage wants one argument.
func onePage(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return failed(cmd, fmt.Errorf("%s takes one page, and here are %d; want a file, an address, or - for the standard input",
			cmd.Name(), len(args)))
	}
	return nil
}

func (q *importQuery) run(cmd *cobra.Command, args []string) (int, error) {
	page, err := q.read(cmd.Context(), args[0])
	if err != nil {
		return exitFailed, err
	}
	if q.preset != "" && !slices.Contains(policy.Presets(), q.preset) {
		problem := fmt.Sprintf("--preset %q: there is no such preset", q.preset)
		if near := policy.Near(q.preset, policy.Presets()); near != "" {
			problem += "; did you mean " + near + "?"
		}
		return exitFailed, errors.New(problem)
	}
	block, notes := page.Block(q.preset)
	page.Notes = append(page.Notes, notes...)
	slices.SortStableFunc(page.Notes, func(a, b published.Note) int { return a.Line - b.Line })
	if err := q.write(cmd.OutOrStdout(), cmd.ErrOrStderr(), page, block); err != nil {
		return exitFailed, err
	}
	status := page.Status() // which what was assumed does not change
	switch status {
	case exitFindings:
		return status, errors.New("not everything on the page was understood")
	case exitFailed:
		return status, errors.New("no cookie was found on the page")
	}
	return status, nil
}

// write writes the block and the notes.
func (q *importQuery) write(out, notes io.Writer, page *published.Page, block string) error {
	if q.json {
		return writeReports[any](&query{json: true, policy: "one"}, out, []any{struct {
			*published.Page
			Block string `json:"block"`
		}{page, block}}, nil)
	}
	if _, err := io.WriteString(out, block); err != nil {
		return err
	}
	for _, note := range page.Notes {
		if _, err := fmt.Fprintf(notes, "line %d: %s: %s\n", note.Line, note.Kind, printableWords(note.Message)); err != nil {
			return err
		}
	}
	return nil
}

// compareQuery is what the compare command is asked.
type compareQuery struct {
	*query
	pageFlags
}

func compareCommand(q *query) *cobra.Command {
	x := &compareQuery{query: q}
	cmd := &cobra.Command{
		Use: "compare [--config <file> [--adapter <name>] | --address <host:port>...] [--policy <name>] " +
			"[--language <tag>] [--local] [--json] <file>|<url>|-",
		Short: "Tells whether a published cookie policy says what a policy enforces",
		Long: `Tells whether a published cookie policy says what a policy enforces: names that only one of the two
has, another category, another lifetime. Another purpose is told, and does not count.

The exit status is 0 if the two agree, 1 if they differ or something on the page was not understood, and
2 if no cookie was found or the command could not be carried out.`,
		Args: onePage,
		RunE: q.runArgs(x.run),
	}
	x.add(cmd)
	q.configFlags(cmd)
	return cmd
}

// comparison is how a page and a policy differ.
type comparison struct {
	Policy      string                 `json:"policy"`
	Digest      string                 `json:"digest"`
	Differences []published.Difference `json:"differences"`
	Notes       []published.Note       `json:"notes"` // what was not understood of the page
}

func (q *compareQuery) run(cmd *cobra.Command, args []string) (int, error) {
	policies, err := q.policies()
	if err != nil {
		return exitFailed, err
	}
	page, err := q.read(cmd.Context(), args[0])
	if err != nil {
		return exitFailed, err
	}
	if page.Status() == exitFailed {
		return exitFailed, errors.New("no cookie was found on the page")
	}
	notes := []published.Note{}
	for _, note := range page.Notes {
		if note.Kind == published.NotUnderstood {
			notes = append(notes, note)
		}
	}
	findings := len(notes)
	answers := make([]comparison, len(policies))
	for i, p := range policies {
		answers[i] = comparison{p.Resolved.Name(), p.Resolved.Digest(),
			published.Compare(page, p.Resolved), notes}
		for _, d := range answers[i].Differences {
			if d.Counts() {
				findings++
			}
		}
	}
	if err := writeReports(q.query, cmd.OutOrStdout(), answers, printComparison); err != nil {
		return exitFailed, err
	}
	return status(nil, findings, "the page and the policy differ")
}

func printComparison(out io.Writer, c *comparison) error {
	w := columns(out)
	fmt.Fprintf(w, "Policy %s, digest %.8s\n\n", report.Printable(c.Policy), c.Digest)
	if len(c.Differences) == 0 {
		fmt.Fprintln(w, "The page says what the policy enforces.")
	} else {
		fmt.Fprintln(w, "DIFFERENCE\tCOOKIE\tPAGE\tPOLICY")
	}
	for _, d := range c.Differences {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Kind, report.Printable(d.Name), printableWords(d.Page),
			printableWords(d.Policy))
	}
	for i, note := range c.Notes {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "line %d of the page: %s: %s\n", note.Line, note.Kind, printableWords(note.Message))
	}
	return w.Flush()
}
