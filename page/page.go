// Package page makes the page on which a site publishes its cookie policy, and on which visitors make
// their choices, from the policy that is enforced.
//
// A [Page] is made once, from its [Config]. For each request [Page.Serve] answers; [Page.Data] and
// [Page.HTML] make a page without a server.
//
// The package does not know Caddy. Texts are in package languages, and what a choice is and how it is
// stored is known to package enforcer.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"html/template"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// DefaultTemplate is the template of the page, for html/template. It is executed with a [Data].
//
//go:embed page.html
var DefaultTemplate string

// The template shows it between the tags of a style element; the Content-Security-Policy has its hash.
//
//go:embed page.css
var css string

// Page is a policy page. Any number of goroutines may use it.
type Page struct {
	config    Config
	languages []*languages.Language
	matcher   *languages.Matcher
	template  *template.Template // the operator's, or the default
	fallback  *template.Template // the default, if the operator's fails
	security  string             // the Content-Security-Policy
	now       func() time.Time
	sealer    sealer
}

// New makes a page. The error is of type [policy.Faults] and holds everything that is wrong with the
// config.
func New(c Config, now func() time.Time) (*Page, error) {
	if faults := c.Faults(); len(faults) > 0 {
		return nil, faults
	}
	p := &Page{config: c, languages: c.shown(), now: now, security: securityPolicy(c.Stylesheet),
		sealer: newSealer()}
	p.matcher = languages.NewMatcher(p.languages...)
	p.fallback = template.Must(parseTemplate(DefaultTemplate))
	p.template = p.fallback
	if c.Template != "" {
		text, err := os.ReadFile(c.Template)
		if err != nil {
			return nil, err
		}
		if p.template, err = parseTemplate(string(text)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func parseTemplate(text string) (*template.Template, error) {
	return template.New("page").Option("missingkey=error").Parse(text)
}

// HTML writes the page. If the operator's own template fails, the error says why, and the page is that of
// the default template.
func (p *Page) HTML(d *Data) (html []byte, err error) {
	var b bytes.Buffer
	if err = p.template.Execute(&b, d); err == nil {
		return b.Bytes(), nil
	}
	b.Reset()
	if fallbackErr := p.fallback.Execute(&b, d); fallbackErr != nil {
		return nil, fallbackErr
	}
	return b.Bytes(), err
}

// securityPolicy returns the Content-Security-Policy: nothing but the page's own style, the operator's
// stylesheet, and images and the form's target on the same host.
func securityPolicy(stylesheet string) string {
	hash := sha256.Sum256([]byte(css))
	style := "'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"
	fonts := ""
	if stylesheet != "" {
		source := "'self'"
		if u, err := url.Parse(stylesheet); err == nil && u.Host != "" {
			source = u.Scheme + "://" + u.Host
		}
		style += " " + source
		fonts = "; font-src " + source
	}
	return strings.Join([]string{"default-src 'none'", "style-src " + style, "img-src 'self'" + fonts,
		"form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"}, "; ")
}

// Digests returns a SHA-256 of the page of a policy in each language, as it is for nobody: without a host
// and a stored choice.
func (p *Page) Digests(e *enforcer.Enforcer, in InForce) (map[string]string, error) {
	digests := map[string]string{}
	for _, l := range p.languages {
		d, err := p.Data(e, in, Visitor{Language: l.Tag, Unwritable: e.Policy().Unwritable()})
		if err != nil {
			return nil, err
		}
		html, err := p.HTML(d)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(html)
		digests[l.Tag] = hex.EncodeToString(sum[:])
	}
	return digests, nil
}
