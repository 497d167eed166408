package output

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

//go:embed audit.html
var page string

// maxRows bounds each table of the page. The JSON and CSV files have all rows.
const maxRows = 1000

// HTML returns the audit as one page for people, in English or French, without a script and without
// anything that is loaded from elsewhere.
func HTML(r *audit.Report, language string) ([]byte, error) {
	words, known := texts[language]
	if !known {
		return nil, fmt.Errorf("language %q: want en or fr", language)
	}
	parsed, err := template.New("audit").Funcs(template.FuncMap{
		"t": func(key string) string {
			if text, known := words[key]; known {
				return text
			}
			return key
		},
		"advice": func(f audit.Finding) string {
			if f.Finding == audit.Unlisted && f.Request != nil {
				return words["advice.unlisted_origin"]
			}
			return words["advice."+f.Finding]
		},
		"hasRules": r.NamesOrigins,
		"sentence": func(s audit.State) string { return words["verdict."+s.Verdict] },
		"stateName": func(state string) string {
			if key, one := strings.CutPrefix(state, "granted:"); one {
				return fmt.Sprintf(words["state.granted_one"], key)
			}
			return words["state."+state]
		},
		"time":     func(at time.Time) string { return at.Format("2006-01-02 15:04:05 UTC") },
		"join":     strings.Join,
		"place":    place,
		"purposes": purposes,
		"purpose":  purposeVerdict,
		"states":   statesOf,
		"setters":  settersOf,
		"lives":    livesOf,
		"findings": func(level string) (some []audit.Finding) {
			for _, f := range r.Findings {
				if f.Level == level && len(some) < maxRows {
					some = append(some, f)
				}
			}
			return some
		},
		"cookies":  func() []audit.Cookie { return r.Cookies[:min(len(r.Cookies), maxRows)] },
		"contacts": func() []audit.Contact { return r.Requests[:min(len(r.Requests), maxRows)] },
		"readers":  func() []audit.Read { return r.Reads[:min(len(r.Reads), maxRows)] },
		"stored":   func() []audit.Stored { return r.Storage[:min(len(r.Storage), maxRows)] },
	}).Parse(page)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = parsed.Execute(&b, struct {
		*audit.Report
		Lang string
	}{r, language})
	return b.Bytes(), err
}

// purposes returns the keys of all questions, each as one text.
func purposes(r *audit.Report) (all []string) {
	for _, s := range r.States {
		for _, p := range s.Purposes {
			if keys := strings.Join(p.Keys, ", "); !slices.Contains(all, keys) {
				all = append(all, keys)
			}
		}
	}
	return all
}

func purposeVerdict(s audit.State, keys string) string {
	for _, p := range s.Purposes {
		if strings.Join(p.Keys, ", ") == keys {
			return p.Verdict
		}
	}
	return ""
}

// statesOf returns what happened to a cookie, as words with their states.
func statesOf(c audit.Cookie) (all []string) {
	for _, what := range []string{"set", "sent", "kept", "deleted", "refused_by_browser"} {
		var states []string
		for _, s := range c.Seen {
			if s.What == what && !slices.Contains(states, s.State) {
				states = append(states, s.State)
			}
		}
		if len(states) > 0 {
			all = append(all, what+": "+strings.Join(states, ", "))
		}
	}
	return all
}

func settersOf(c audit.Cookie) (all []string) {
	for _, s := range c.Seen {
		if s.Setter == nil || s.What != "set" {
			continue
		}
		if text := strings.TrimSpace(s.Setter.Kind + " " + place(s.Setter)); !slices.Contains(all, text) && len(all) < 5 {
			all = append(all, text)
		}
	}
	return all
}

func livesOf(c audit.Cookie) (all []string) {
	for _, s := range c.Seen {
		if s.What != "set" || s.Declared == "" && s.Effective == "" {
			continue
		}
		if text := s.Declared + " / " + s.Effective; !slices.Contains(all, text) && len(all) < 3 {
			all = append(all, text)
		}
	}
	return all
}
