package enforcer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Validate returns all that is wrong with the policy, as [Faults] in the order of its fields, or nil.
func (p *Policy) Validate() error {
	v := &validator{allowed: map[string]allowed{}}
	v.policy(p)
	if len(v.faults) == 0 {
		return nil
	}
	return v.faults
}

type validator struct {
	faults  Faults
	allowed map[string]allowed // names in the block's own rules
}

type allowed struct {
	path     string
	category Category
}

func (v *validator) fault(path, word, problem, right string) {
	v.faults = append(v.faults, Fault{Path: path, Word: word, Problem: problem, Right: right})
}

func (v *validator) policy(p *Policy) {
	if len(p.Presets) == 0 && len(p.Allow) == 0 {
		v.fault("", "", "this policy lets no cookie through", "name a preset such as opendatasoft, or write an allow line")
	}
	v.label("name", p.Name)
	for i := range p.Presets {
		path := fmt.Sprintf("presets[%d]", i)
		v.preset(path, &p.Presets[i])
		if slices.ContainsFunc(p.Presets[:i], func(q Preset) bool { return q.Name == p.Presets[i].Name }) {
			v.fault(path, p.Presets[i].Name, "this preset is named twice", "name it once")
		}
	}
	for i := range p.Allow {
		v.rule(fmt.Sprintf("allow[%d]", i), &p.Allow[i])
	}
	for i := range p.Presets {
		known, _ := presetNamed(p.Presets[i].Name)
		for _, preference := range known.preference {
			for _, name := range preference.Cookies {
				v.necessary(name)
			}
		}
	}
	v.preferences(p.Preference)
	v.signals(p.Signal)
	v.oneOf("unlisted", p.Unlisted, UnlistedBlock, UnlistedPass)
	v.oneOf("mode", p.Mode, ModeEnforce, ModeReport)
	v.oneOf("lifetimes", p.Lifetimes, LifetimesReport, LifetimesEnforce)
	v.rewrites(p.RewriteDomain)
	v.oneOf("shared_cache", p.SharedCache, SharedCacheProtect, SharedCacheKeep)
	v.scripted(p)
}

// label accepts what can stand unquoted in logs, metrics and addresses.
func (v *validator) label(path, label string) {
	for _, c := range []byte(label) {
		if !isAlphanumeric(c) && c != '.' && c != '-' && c != '_' {
			v.fault(path, label, "a name cannot hold "+quote(string(rune(c))), "use letters, digits, dots, hyphens and underscores")
			return
		}
	}
	if len(label) > maxLabel {
		v.fault(path, label, fmt.Sprintf("a name of %d bytes is too long", len(label)), fmt.Sprintf("use at most %d", maxLabel))
	}
}

const maxLabel = 64

func (v *validator) preset(path string, p *Preset) {
	known, ok := presetNamed(p.Name)
	if !ok {
		v.fault(path, p.Name, "no such preset", "want "+oneOfThese(Presets()))
		v.options(path, &p.RuleOptions)
		return
	}
	has := func(c Category) bool {
		return slices.ContainsFunc(known.rules, func(r Rule) bool { return r.Category == c })
	}
	if p.Anonymous && !has(Statistical) {
		v.fault(path+".anonymous", "anonymous", "the preset "+p.Name+" has no statistical cookies", "remove it: only they can be anonymous")
	}
	if len(p.Consent) > 0 && !has(Statistical) && !has(FirstParty) && !has(ThirdParty) {
		v.fault(path+".consent", p.Consent[0], "the preset "+p.Name+" has necessary cookies only, which need no consent", "remove it")
	}
	v.options(path, &p.RuleOptions)
}

func (v *validator) rule(path string, r *Rule) {
	if !slices.Contains(categories, r.Category) {
		v.fault(path+".category", string(r.Category), "no such category", "want necessary, statistical, first_party or third_party")
	}
	if len(r.Cookies) == 0 {
		v.fault(path+".cookies", "", "this rule names no cookie", "name at least one after the category")
	}
	for i, name := range r.Cookies {
		path := fmt.Sprintf("%s.cookies[%d]", path, i)
		v.cookieName(path, name)
		if hasPrefixFold(name, "__host-") && len(r.Path) > 0 && !slices.Contains(r.Path, "/") {
			v.fault(path, name, "this rule could never match: browsers take a __Host- cookie with Path=/ only", "add / to the rule's paths")
		}
		if _, twice := v.allowed[name]; twice {
			v.fault(path, name, "this name is allowed twice", "keep one of the two")
		}
		v.allowed[name] = allowed{path, r.Category}
	}
	if r.Anonymous && r.Category != Statistical {
		v.fault(path+".anonymous", "anonymous", "only statistical cookies can be anonymous", "move them to the category statistical, or remove it")
	}
	if len(r.Consent) > 0 && r.Category == Necessary {
		v.fault(path+".consent", r.Consent[0], "necessary cookies need no consent", "remove it, or choose another category")
	}
	v.options(path, &r.RuleOptions)
}

func (v *validator) options(path string, o *RuleOptions) {
	v.distinct(path+".consent", o.Consent, v.key)
	v.distinct(path+".domain", o.Domain, v.domain)
	v.distinct(path+".path", o.Path, v.path)
	if v.duration(path+".lifetime", o.Lifetime) && o.Lifetime < Duration(time.Second) {
		v.fault(path+".lifetime", o.Lifetime.String(), "a life of less than a second is none", "write one such as 183d, or remove it: a cookie of the session has no lifetime")
	}
	if v.duration(path+".max_age", o.MaxAge) && o.MaxAge < Duration(time.Second) {
		v.fault(path+".max_age", o.MaxAge.String(), "a life of less than a second is none", "write one such as 183d, or remove it: a cookie is refused by not naming it")
	}
	v.oneOf(path+".same_site", o.SameSite, SameSiteLax, SameSiteStrict, SameSiteNone)
	languages := map[string]bool{}
	for i, p := range o.Purpose {
		path := fmt.Sprintf("%s.purpose[%d]", path, i)
		if p.Text == "" {
			v.fault(path, "", "this purpose is empty", "say what the cookie is for")
		}
		if !isLanguage(p.Language) {
			v.fault(path, p.Language, "this is not a language tag", "write one such as en or pt-BR; put a text of several words in quotes")
		}
		if languages[p.Language] {
			v.fault(path, cmp.Or(p.Language, p.Text), "this purpose is given twice in one language", "keep one of the two")
		}
		languages[p.Language] = true
	}
}

// key accepts what can stand in a preference.
func (v *validator) key(path, key string) {
	if key == "" || hasControl(key) {
		v.fault(path, key, "this cannot stand in a preference", "write it as it stands in the visitor's preference")
	}
}

func (v *validator) path(path, p string) {
	if !strings.HasPrefix(p, "/") || hasControl(p) || strings.Contains(p, ";") || trim(p) != p || len(p) > maxAttributeValue {
		v.fault(path, p, "no browser takes this for a Path", "begin it with /, and without semicolons, blanks around it or more than 1024 bytes")
	}
}

func (v *validator) signals(signals []Signal) {
	for i, s := range signals {
		path := fmt.Sprintf("signal[%d]", i)
		if s.Signal == "" {
			v.fault(path+".signal", "", "this signal has no name", "want gpc or dnt")
		}
		v.oneOf(path+".signal", s.Signal, SignalGPC, SignalDNT)
		if len(s.Categories) == 0 {
			v.fault(path+".categories", s.Signal, "this signal objects to nothing", "name the categories it refuses")
		}
		for j, c := range s.Categories {
			path := fmt.Sprintf("%s.categories[%d]", path, j)
			switch {
			case !slices.Contains(categories, c):
				v.fault(path, string(c), "no such category", "want statistical, first_party or third_party")
			case c == Necessary:
				v.fault(path, string(c), "necessary cookies need no consent, and nobody can object to them", "want statistical, first_party or third_party")
			case slices.Contains(s.Categories[:j], c):
				v.fault(path, string(c), "this is given twice", "keep one of the two")
			}
		}
	}
}

// distinct judges each word, and refuses those that stand in the list already.
func (v *validator) distinct(path string, words []string, judge func(path, word string)) {
	for i, word := range words {
		path := fmt.Sprintf("%s[%d]", path, i)
		judge(path, word)
		if slices.Contains(words[:i], word) {
			v.fault(path, word, "this is given twice", "keep one of the two")
		}
	}
}

func (v *validator) domain(path, domain string) {
	host := strings.TrimPrefix(domain, ".")
	for _, c := range []byte(host) {
		if !isAlphanumeric(c) && c != '.' && c != '-' && c != '_' {
			v.fault(path, domain, "no browser takes this for a Domain", "write the host name alone, in ASCII (xn--… for others), without scheme, port or path")
			return
		}
	}
	if host == "" || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		v.fault(path, domain, "no browser takes this for a Domain", "write a host name such as data.example.org")
	} else if isPublicSuffix(strings.TrimSuffix(normalDomain(host), ".")) {
		v.fault(path, domain, "no browser takes a public suffix for a Domain: it belongs to many owners", "write a name below it, such as example."+host)
	}
}

func (v *validator) rewrites(rewrites []Rewrite) {
	for i, r := range rewrites {
		path := fmt.Sprintf("rewrite_domain[%d]", i)
		v.domain(path+".from", r.From)
		if r.To != "" {
			v.domain(path+".to", r.To)
		}
		if r.To != "" && normalDomain(r.From) == normalDomain(r.To) {
			v.fault(path+".to", r.To, "this domain stays what it is", "remove the line, or name another domain")
		}
		if slices.ContainsFunc(rewrites[:i], func(q Rewrite) bool { return normalDomain(q.From) == normalDomain(r.From) }) {
			v.fault(path+".from", r.From, "this domain is rewritten twice", "keep one of the two")
		}
	}
}

// scripted refuses HttpOnly on cookies that scripts have to read: the portal's own script sends csrftoken back with its API calls, and its
// banner reads and writes the preference.
func (v *validator) scripted(p *Policy) {
	rules, preferences := p.resolve()
	var found names
	places := map[*rule]int{}
	for i := range rules {
		r := new(rule)
		places[r] = i
		for _, name := range rules[i].Cookies {
			found.add(name, r)
		}
	}
	refuse := func(name string, r *rule) {
		if r != nil && rules[places[r]].HTTPOnly {
			path := p.pathOf(rules, places[r]) + ".http_only"
			v.fault(path, name, "scripts of the portal have to read this cookie, and HttpOnly would hide it from them", "put the other cookies into a rule of their own, with http_only there")
		}
	}
	refuse("csrftoken", found.find("csrftoken"))
	for _, preference := range preferences {
		for _, name := range preference.Cookies {
			refuse(name, found.exact[name]) // wildcards have no say in a preference
		}
	}
}

// pathOf is where one of the rules that resolve returned was written.
func (p *Policy) pathOf(rules []Rule, i int) string {
	if own := i - (len(rules) - len(p.Allow)); own >= 0 {
		return fmt.Sprintf("allow[%d]", own)
	}
	return fmt.Sprintf("presets[%d]", slices.IndexFunc(p.Presets, func(preset Preset) bool {
		known, _ := presetNamed(preset.Name)
		return slices.ContainsFunc(known.rules, func(r Rule) bool { return slices.Contains(r.Cookies, rules[i].Cookies[0]) })
	}))
}

func (v *validator) preferences(preferences []Preference) {
	formats := map[string]string{}
	for i := range preferences {
		path := fmt.Sprintf("preference[%d]", i)
		p := preferences[i].withDefaults()
		if len(p.Cookies) == 0 {
			v.fault(path+".cookies", "", "this preference names no cookie", "name the cookie that stores the visitor's choices")
		}
		for j, name := range p.Cookies {
			path := fmt.Sprintf("%s.cookies[%d]", path, j)
			v.cookieName(path, name)
			if strings.Contains(name, "*") {
				v.fault(path, name, "a preference is read from exact names only", "write the name without *")
			}
			if format, twice := formats[name]; twice && format != p.Format {
				v.fault(path, name, fmt.Sprintf("this preference is read in two formats, %s and %s", format, p.Format), "keep one of the two")
			} else if twice {
				v.fault(path, name, "this preference is named twice", "keep one of the two")
			}
			formats[name] = p.Format
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
			v.fault(path+"."+field, word, "the format "+format+" has no such thing", "it belongs to "+oneOfThese(formats))
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
		v.fault(path+".value", "", "a flag wants the value that grants", "write one such as: format flag yes")
	}
	if spelled := p.withDefaults(); format == FormatPairs && spelled.Separator == spelled.Assignment {
		v.fault(path+".assignment", spelled.Assignment, "pairs cannot be told apart where one word is both separator and assignment", "write both as the tool does")
	}
	v.distinct(path+".keys", p.Keys, v.key)
	v.distinct(path+".granted", p.Granted, v.key)
	if p.Timestamp != "" && (p.Timestamp == p.Path || p.Timestamp == p.ListKey) {
		v.fault(path+".timestamp", p.Timestamp, "the choices stand at this place", "write where the time of the choice stands, or remove it")
	}
	v.dotted(path+".path", p.Path)
	v.dotted(path+".timestamp", p.Timestamp)
	if v.duration(path+".max_age", p.MaxAge) && p.MaxAge < 0 {
		v.fault(path+".max_age", p.MaxAge.String(), "a choice cannot count for less than no time", "write one such as 183d")
	}
	if p.MaxAge > 0 && p.Timestamp == "" {
		v.fault(path+".max_age", p.MaxAge.String(), "nobody can tell how old a choice without a timestamp is", "name the timestamp, or remove max_age")
	}
	if p.Persist == "" {
		return
	}
	v.path(path+".persist", p.Persist)
	for _, name := range p.Cookies {
		if hasPrefixFold(name, "__host-") && p.Persist != "/" {
			v.fault(path+".persist", p.Persist, "browsers take a __Host- cookie with Path=/ only", "write persist alone")
		}
	}
	if p.MaxAge == 0 {
		v.fault(path+".persist", p.Persist, "what is left of a choice's life is known only from a timestamp and max_age", "add both")
	}
}

// duration says whether a duration was given that can be judged. What is none is refused.
func (v *validator) duration(path string, d Duration) bool {
	if d == noDuration {
		v.fault(path, "", "this is not a duration, or none at all", "write one such as 30m, 12h or 183d")
	}
	return d != 0 && d != noDuration
}

// dotted accepts the path of a JSON member.
func (v *validator) dotted(path, dotted string) {
	if dotted != "" && slices.Contains(splitPath(dotted), "") {
		v.fault(path, dotted, "this path has an empty part", "write one such as purposes.enabled")
	}
}

// necessary refuses a rule of another category for a cookie in which choices are stored.
func (v *validator) necessary(preference string) {
	if rule, ok := v.allowed[preference]; ok && rule.category != Necessary {
		v.fault(rule.path, preference, "a preference is a necessary cookie, and this rule calls it "+string(rule.category), "remove the name from this rule")
		delete(v.allowed, preference) // told once
	}
}

// oneOf accepts nothing, which means the default, or one of the words.
func (v *validator) oneOf(path, word string, words ...string) {
	if word != "" && !slices.Contains(words, word) {
		v.fault(path, word, "no such "+path[strings.LastIndexByte(path, '.')+1:], "want "+oneOfThese(words))
	}
}

// cookieName refuses names under which no browser stores a cookie (RFC 6265bis section 5.7).
func (v *validator) cookieName(path, name string) {
	problem := ""
	switch {
	case name == "":
		problem = "a cookie without a name is read differently by different browsers, and never let through"
	case strings.ContainsAny(name, "=;"):
		problem = "no browser stores a name that holds = or ;"
	case hasControl(name) || strings.Contains(name, "\t"):
		problem = "no browser stores a name that holds a control character"
	case trim(name) != name:
		problem = "browsers trim blanks around a name"
	case len(name) > maxPair:
		problem = fmt.Sprintf("no browser stores a name of more than %d bytes", maxPair)
	default:
		return
	}
	v.fault(path, name, problem, "write the name as it stands before the = of Set-Cookie")
}

// isLanguage accepts the shape of a BCP 47 tag: subtags of letters and digits, at most eight each, the first of letters.
func isLanguage(tag string) bool {
	if tag == "" {
		return true
	}
	for i, sub := range strings.Split(tag, "-") {
		if len(sub) == 0 || len(sub) > 8 || i == 0 && len(sub) < 2 {
			return false
		}
		for _, c := range []byte(sub) {
			if !isAlphanumeric(c) || i == 0 && c <= '9' {
				return false
			}
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// oneOfThese writes words as a sentence does: a, b or c.
func oneOfThese(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// quote shows a word as Go does, and cuts what is too long to be read.
func quote(word string) string {
	const enough = 80
	if len(word) > enough {
		return fmt.Sprintf("%q…", word[:enough])
	}
	return fmt.Sprintf("%q", word)
}
