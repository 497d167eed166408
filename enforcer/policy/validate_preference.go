package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
)

func (v *validator) preferences(preferences []Preference) {
	type first struct{ path, format string }
	named := map[string]first{}
	for i := range preferences {
		path := fmt.Sprintf("preference[%d]", i)
		p := preferences[i].withDefaults()
		if len(p.Cookies) == 0 {
			v.fault(path+".cookies", "", "this preference names no cookie",
				"name the cookie that stores the visitor's choices")
		}
		for j, name := range p.Cookies {
			path := fmt.Sprintf("%s.cookies[%d]", path, j)
			v.cookieName(path, name)
			if strings.Contains(name, "*") {
				v.fault(path, name, "a preference is read from exact names only",
					"write the name without *")
			}
			if before, twice := named[name]; !twice {
				named[name] = first{path, p.Format}
			} else if before.format != p.Format {
				v.twice(path, name, fmt.Sprintf("this preference is read in two formats, %s and %s",
					before.format, p.Format), before.path)
			} else {
				v.twice(path, name, "this preference is named twice", before.path)
			}
			v.necessary(name)
		}
		v.format(path, &preferences[i])
	}
}

// format refuses what makes no sense in a preference's format.
func (v *validator) format(path string, p *Preference) {
	v.oneOf(path+".format", p.Format, FormatJSON, FormatPairs, FormatList, FormatFlag)
	format := p.withDefaults().Format
	only := func(field, word string, formats ...string) {
		if word != "" && !slices.Contains(formats, format) {
			v.fault(path+"."+field, word, "the format "+format+" has no such thing",
				"it belongs to "+oneOfThese(formats))
		}
	}
	only("path", p.Path, FormatJSON)
	if p.Base64 {
		only("base64", "base64", FormatJSON)
	}
	only("separator", p.Separator, FormatPairs, FormatList)
	only("assignment", p.Assignment, FormatPairs)
	only("list_key", p.ListKey, FormatPairs)
	only("value", p.Value, FormatFlag)
	only("keys", strings.Join(p.Keys, " "), FormatFlag)
	only("granted", strings.Join(p.Granted, " "), FormatJSON, FormatPairs, FormatList)
	only("timestamp", p.Timestamp, FormatJSON, FormatPairs)
	if format == FormatFlag && p.Value == "" {
		v.fault(path+".value", "", "a flag wants the value that grants",
			"write one such as: format flag yes")
	}
	if spelled := p.withDefaults(); format == FormatPairs && spelled.Separator == spelled.Assignment {
		v.fault(path+".assignment", spelled.Assignment,
			"pairs cannot be told apart where one word is both separator and assignment",
			"write both as the tool does")
	}
	v.distinct(path+".keys", p.Keys, v.key)
	v.distinct(path+".granted", p.Granted, v.key)
	// A time above the choices would be an object.
	above := strings.HasPrefix(p.Path+".", p.Timestamp+".")
	if p.Timestamp != "" && (p.Path != "" && above || p.Timestamp == p.ListKey) {
		v.fault(path+".timestamp", p.Timestamp, "the choices stand at this place",
			"write where the time of the choice stands, or remove it")
	}
	v.dotted(path+".path", p.Path)
	v.dotted(path+".timestamp", p.Timestamp)
	switch given := v.duration(path+".max_age", p.MaxAge); {
	case given && p.MaxAge == Session:
		v.fault(path+".max_age", sessionWord, "nobody can tell when a browser's session ends",
			"write how long a choice counts, such as 183d")
	case given && p.MaxAge < 0:
		v.fault(path+".max_age", p.MaxAge.String(), "a choice cannot count for less than no time",
			"write one such as 183d")
	}
	if p.MaxAge > 0 && p.Timestamp == "" {
		v.fault(path+".max_age", p.MaxAge.String(),
			"nobody can tell how old a choice without a timestamp is",
			"name the timestamp, or remove max_age")
	}
	if p.Persist == "" {
		return
	}
	v.path(path+".persist", p.Persist)
	for _, name := range p.Cookies {
		if wire.HasPrefixFold(name, "__host-") && p.Persist != "/" {
			v.fault(path+".persist", p.Persist, "browsers take a __Host- cookie with Path=/ only",
				"write persist alone")
		}
	}
	if p.MaxAge == 0 {
		v.fault(path+".persist", p.Persist,
			"what is left of a choice's life is known only from a timestamp and max_age", "add both")
	}
}

// dotted accepts the path of a JSON member.
func (v *validator) dotted(path, dotted string) {
	if dotted != "" && slices.Contains(strings.Split(dotted, "."), "") {
		v.fault(path, dotted, "this path has an empty part", "write one such as purposes.enabled")
	}
}

// necessary refuses a rule of another category for a cookie in which choices are stored.
func (v *validator) necessary(preference string) {
	if rule, ok := v.allowed[preference]; ok && rule.category != Necessary {
		v.fault(rule.path, preference,
			"a preference is a necessary cookie, and this rule calls it "+string(rule.category),
			"remove the name from this rule")
		delete(v.allowed, preference) // told once
	}
}
