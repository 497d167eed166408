package cookiepolicy

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
	"github.com/cookie-policy/caddy-cookie-policy/page"
)

// pageQuery is what the page command is asked.
type pageQuery struct {
	*query
	language string
	template bool
}

func pageCommand(q *query) *cobra.Command {
	x := &pageQuery{query: q}
	cmd := &cobra.Command{
		Use: "page [--config <file> [--adapter <name>] | --address <host:port>...] [--policy <name>] " +
			"[--language <tag>] [--json] | --template",
		Short: "Prints the page that publishes a policy",
		Long: `Prints the page that publishes a policy, as HTML, or as data with --json, for nobody in particular:
without a visitor's choices and without the form. What cookie_policy_page says in the same site counts.
With several policies, --policy chooses one. --template prints the built-in template, to begin one's own
with.

The exit status is 0 if the command was carried out, and 2 if not.`,
		Args: noArgs,
		RunE: q.run(x.print),
	}
	q.configFlags(cmd)
	cmd.Flags().StringVar(&x.language, "language", "", "the page's language, such as fr; default: the page's first")
	cmd.Flags().BoolVar(&x.template, "template", false, "print the built-in template")
	return cmd
}

func (q *pageQuery) print(out io.Writer) (int, error) {
	if q.template {
		_, err := io.WriteString(out, page.DefaultTemplate)
		return exitStatus(err)
	}
	policies, err := q.policies()
	if err != nil {
		return exitFailed, err
	}
	if len(policies) > 1 && !q.json {
		names := make([]string, len(policies))
		for i := range policies {
			names[i] = policies[i].Resolved.Name()
		}
		return exitFailed, fmt.Errorf("a page is that of one policy; choose one with --policy: %s",
			printableWords(strings.Join(names, ", ")))
	}
	answers := make([]*page.Data, len(policies))
	for i, p := range policies {
		made, data, err := q.data(&p)
		if err != nil {
			return exitFailed, err
		}
		if answers[i] = data; !q.json {
			html, err := made.HTML(data)
			if err != nil {
				return exitFailed, err
			}
			_, err = out.Write(html)
			return exitStatus(err)
		}
	}
	return exitStatus(writeReports[*page.Data](q.query, out, answers, nil))
}

// exitStatus returns the status of a command that has no findings.
func exitStatus(err error) (int, error) {
	if err != nil {
		return exitFailed, err
	}
	return exitDone, nil
}

// data makes the page of a policy.
func (q *pageQuery) data(p *configuredPolicy) (*page.Page, *page.Data, error) {
	config := page.Config{}
	if p.Page != nil {
		config = *p.Page
	}
	if q.language != "" {
		if _, known := languages.ByTag(q.language); !known {
			var tags []string
			for _, l := range languages.All() {
				tags = append(tags, l.Tag)
			}
			return nil, nil, fmt.Errorf("--language %q: there is no such language; want one of %s", q.language, strings.Join(tags, ", "))
		}
		config.Languages = []string{q.language}
	}
	made, err := page.New(config, time.Now)
	if err != nil {
		return nil, nil, err
	}
	e, err := enforcer.Compile(p.Policy, time.Now)
	if err != nil {
		return nil, nil, err
	}
	data, err := made.Data(e, p.InForce, page.Visitor{})
	if err != nil {
		return nil, nil, err
	}
	if len(data.Languages) == 0 {
		return nil, nil, errors.New("the page has no language")
	}
	data.Form, data.Languages = nil, nil // which only a gateway can answer
	return made, data, nil
}
