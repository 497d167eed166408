package page

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// Config is what an operator says about the page.
type Config struct {
	// Who answers for the site: the controller in the sense of the GDPR. With it the page has the form
	// on which visitors make their choices, if the policy's preferences can be written.
	Controller string `json:"controller,omitempty"`

	// Where the controller can be reached: an https, http or mailto URL, or a path of the site.
	Contact string `json:"contact,omitempty"`

	// The languages of the page, as tags such as `fr`. The first is for visitors who want none of them.
	// Default: all that there are, English first.
	Languages []string `json:"languages,omitempty"`

	// The page's title, in place of the built-in one.
	Title []policy.Text `json:"title,omitempty"`

	// A stylesheet beside the built-in one: an https or http URL, or a path of the site.
	Stylesheet string `json:"stylesheet,omitempty"`

	// A file with a template in place of the built-in one, for Go's html/template.
	Template string `json:"template,omitempty"`

	// Where visitors make their choices if the page cannot write them: an https or http URL, or a path
	// of the site.
	Manage string `json:"manage,omitempty"`
}

// maxText is the largest number of bytes of a text or URL.
const maxText = 1000

// Faults returns everything that is wrong with the config, each with the path of its field.
func (c *Config) Faults() (faults policy.Faults) {
	fault := func(path, word, problem, right string) {
		faults = append(faults, policy.Fault{Path: path, Word: word, Problem: problem, Right: right})
	}
	if problem := textProblem(c.Controller); c.Controller != "" && problem != "" {
		fault("controller", c.Controller, problem, "write the name of who answers for the site, in one line")
	}
	if c.Contact != "" && c.Controller == "" {
		fault("contact", c.Contact, "the page does not say who this is the contact of", "add controller")
	}
	for field, u := range map[string]string{"contact": c.Contact, "stylesheet": c.Stylesheet, "manage": c.Manage} {
		mail := field == "contact"
		if u == "" || isLink(u, mail) {
			continue
		}
		right := "write an https URL, or a path of the site such as /" + field
		if mail {
			right = "write an https or mailto URL, or a path of the site such as /" + field
		}
		fault(field, u, "this is not the URL of a page", right)
	}
	c.languageFaults(fault)
	first := map[string]string{}
	for i, t := range c.Title {
		at := fmt.Sprintf("title[%d]", i)
		if problem := textProblem(t.Text); problem != "" {
			fault(at, t.Text, problem, "write the page's title, in one line")
		}
		tag, err := language.Parse(cmp.Or(t.Language, "und"))
		if err != nil || strings.Contains(t.Language, "_") {
			fault(at, t.Language, "this is not a language tag (BCP 47)",
				"write one such as en or pt-BR; put a text of several words in quotes")
			continue
		}
		if before, twice := first[tag.String()]; twice {
			faults = append(faults, policy.Fault{Path: at, Word: cmp.Or(t.Language, t.Text),
				Problem: "title is given twice in one language", Right: "keep one of the two", First: before})
			continue
		}
		first[tag.String()] = at
	}
	if c.Template != "" {
		text, err := os.ReadFile(c.Template)
		if err == nil {
			_, err = parseTemplate(string(text))
		}
		if err != nil {
			fault("template", c.Template, "this template cannot be used: "+err.Error(),
				"name a file with a template of Go's html/template")
		}
	}
	slices.SortStableFunc(faults, func(a, b policy.Fault) int {
		return cmp.Compare(fieldIndex(a.Path), fieldIndex(b.Path))
	})
	return faults
}

func (c *Config) languageFaults(fault func(path, word, problem, right string)) {
	for i, tag := range c.Languages {
		at := fmt.Sprintf("languages[%d]", i)
		if _, ok := languages.ByTag(tag); !ok {
			fault(at, tag, "there is no such language", "want one or more of "+strings.Join(tags(), ", "))
		} else if slices.Contains(c.Languages[:i], tag) {
			fault(at, tag, "this language is named twice", "name it once")
		}
	}
}

// fieldIndex returns the place of a field in Config.
func fieldIndex(path string) int {
	field, _, _ := strings.Cut(path, "[")
	return slices.Index([]string{
		"controller", "contact", "languages", "title", "stylesheet", "template", "manage"}, field)
}

func tags() (tags []string) {
	for _, l := range languages.All() {
		tags = append(tags, l.Tag)
	}
	return tags
}

// shown returns the languages of the page, the fallback first.
func (c *Config) shown() (shown []*languages.Language) {
	for _, tag := range c.Languages {
		if l, ok := languages.ByTag(tag); ok {
			shown = append(shown, l)
		}
	}
	if len(shown) == 0 {
		return languages.All()
	}
	return shown
}

// textProblem returns what is wrong with a text of one line.
func textProblem(text string) string {
	switch {
	case strings.TrimSpace(text) == "":
		return "this text is empty"
	case !isPrintable(text):
		return "a text cannot hold control characters, or bytes that are not UTF-8"
	case len(text) > maxText:
		return fmt.Sprintf("a text of %d bytes is longer than %d", len(text), maxText)
	}
	return ""
}

// isLink reports whether an operator's URL can be a link, and a source in a Content-Security-Policy.
func isLink(text string, mail bool) bool {
	if len(text) > maxText || !isPrintable(text) || strings.ContainsAny(text, " \t;,'\"\\<>") {
		return false
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return false
	case u.Scheme == "https" || u.Scheme == "http":
		return u.Host != "" && u.User == nil
	case u.Scheme == "mailto":
		return mail && strings.Contains(u.Opaque, "@")
	}
	return u.Scheme == "" && u.Host == "" && isPath(u.EscapedPath())
}

// isPath reports whether text is a path that no browser takes for another host (WHATWG URL, path absolute
// URL: it reads a backslash as a slash).
func isPath(text string) bool {
	return strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") &&
		!strings.ContainsRune(text, '\\') && isPrintable(text)
}
