package cookiepolicy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/page"
)

// loadPolicies returns the policies of a config file, in the order of their names. The config is
// neither provisioned nor run. The adapter may be empty for a file that is a Caddyfile by its name, and
// for JSON.
func loadPolicies(file, adapter string) ([]configuredPolicy, error) {
	config, err := adapt(file, adapter)
	if err != nil {
		return nil, err
	}
	var parsed struct {
		Apps struct {
			HTTP struct{ Servers map[string]map[string]any }
		}
	}
	d := json.NewDecoder(bytes.NewReader(config))
	d.UseNumber()
	if err := d.Decode(&parsed); err != nil {
		return nil, fmt.Errorf("%s: this is not a JSON config: %w; is it in another format, for --adapter?", file, err)
	}
	var found, pages []configuredHandler
	for name, server := range parsed.Apps.HTTP.Servers {
		path := "apps.http.servers." + name
		w := configWalk{server: path, namedRoutes: map[string]any{}, invoked: map[string]bool{}}
		if routes, ok := server["named_routes"].(map[string]any); ok {
			w.namedRoutes = routes
			delete(server, "named_routes")
		}
		w.value(server, path, nil)
		for route := range w.namedRoutes {
			if !w.invoked[route] {
				w.invoke(route, nil)
			}
		}
		found, pages = append(found, w.found...), append(pages, w.pages...)
	}
	for _, handlers := range [][]configuredHandler{found, pages} {
		slices.SortFunc(handlers, func(a, b configuredHandler) int { return cmp.Compare(a.path, b.path) })
	}
	var all policySet
	for _, handler := range found {
		if err := all.addHandler(file, handler, pages); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no site of this config has a cookie_policy", file)
	}
	return all.sorted(), nil
}

// adapt reads a config file as JSON.
func adapt(file, adapter string) (config []byte, err error) {
	if file == "-" {
		config, err = io.ReadAll(os.Stdin)
	} else {
		config, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, err
	}
	// As for Caddy's own commands.
	name := strings.ToLower(filepath.Base(file))
	isCaddyfile := strings.HasPrefix(name, "caddyfile") && filepath.Ext(name) != ".json" ||
		strings.HasSuffix(name, ".caddyfile")
	if adapter == "" && isCaddyfile {
		adapter = "caddyfile"
	}
	if adapter == "" {
		return config, nil
	}
	a := caddyconfig.GetAdapter(adapter)
	if a == nil {
		return nil, fmt.Errorf("%q: this program has no such config adapter", adapter)
	}
	config, _, err = a.Adapt(config, map[string]any{"filename": file})
	return config, err
}

// configuredHandler is a cookie_policy or a cookie_policy_page in a JSON config.
type configuredHandler struct {
	server string // its path
	path   string
	fields map[string]any
	hosts  []string
}

// decode reads the handler's fields.
func (h *configuredHandler) decode(into any) error {
	fields := maps.Clone(h.fields)
	delete(fields, "handler")
	b, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// configWalk finds the handlers of one server.
type configWalk struct {
	server      string // its path
	namedRoutes map[string]any
	invoked     map[string]bool
	invoking    []string // the named routes around
	found       []configuredHandler
	pages       []configuredHandler
}

// value walks through a value at a path, within sites with some hosts.
func (w *configWalk) value(v any, path string, hosts []string) {
	switch v := v.(type) {
	case []any:
		for i, element := range v {
			w.value(element, fmt.Sprintf("%s[%d]", path, i), hosts)
		}
	case map[string]any:
		switch v["handler"] {
		case "cookie_policy":
			w.found = append(w.found, configuredHandler{w.server, path, v, hosts})
			return
		case "cookie_policy_page":
			w.pages = append(w.pages, configuredHandler{w.server, path, v, hosts})
			return
		case "invoke":
			route, _ := v["name"].(string)
			w.invoke(route, hosts)
			return
		}
		if names := hostsIn(v["match"]); len(names) > 0 {
			hosts = names
		}
		for key, field := range v {
			w.value(field, path+"."+key, hosts)
		}
	}
}

// invoke walks through a named route.
func (w *configWalk) invoke(route string, hosts []string) {
	if w.namedRoutes[route] == nil || slices.Contains(w.invoking, route) {
		return
	}
	w.invoked[route] = true
	w.invoking = append(w.invoking, route)
	w.value(w.namedRoutes[route], w.server+".named_routes."+route, hosts)
	w.invoking = w.invoking[:len(w.invoking)-1]
}

// hostsIn returns the hosts of a route's matchers.
func hostsIn(match any) (hosts []string) {
	sets, _ := match.([]any)
	for _, set := range sets {
		matchers, _ := set.(map[string]any)
		names, _ := matchers["host"].([]any)
		for _, name := range names {
			if host, ok := name.(string); ok {
				hosts = append(hosts, strings.ToLower(host))
			}
		}
	}
	return hosts
}

// addHandler adds the policy of a handler in a config file.
func (s *policySet) addHandler(file string, handler configuredHandler, pages []configuredHandler) error {
	p := configuredPolicy{Hosts: handler.hosts, Where: func(path string) string {
		if path != "" {
			path = "." + path
		}
		return file + ": " + handler.path + path
	}}
	if err := handler.decode(&p.Policy); err != nil {
		return fmt.Errorf("%s: %w", p.Where(""), err)
	}
	for _, candidate := range pages { // of the same site
		if p.Page == nil && candidate.server == handler.server && slices.Equal(candidate.hosts, handler.hosts) {
			p.Page = new(page.Config)
			if err := candidate.decode(p.Page); err != nil {
				return fmt.Errorf("%s: %s: %w", file, candidate.path, err)
			}
		}
	}
	if err := p.resolve(); err != nil {
		return err
	}
	if err := s.add(p); err != nil {
		return fmt.Errorf("%w; give each a name of its own", err)
	}
	return nil
}

// resolve resolves the policy that was read from a file. The error holds all its faults, each with where
// it was written.
func (p *configuredPolicy) resolve() (err error) {
	if writtenAt(&p.Policy, "") != "" {
		p.Where = func(path string) string { return writtenAt(&p.Policy, path) }
	}
	if p.Resolved, err = p.Policy.Resolve(); err == nil {
		return nil
	}
	var errs []error
	for _, fault := range p.Policy.Faults() {
		errs = append(errs, fmt.Errorf("%s: %s", p.Where(fault.Path), fault.Message()))
	}
	return errors.Join(errs...)
}

// loadPolicy returns the policy of a JSON file that holds one: as GET /cookie-policy/<name>/policy
// answers, as the handler of a config, or by itself.
func loadPolicy(file string) (p configuredPolicy, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &fields); err != nil {
		return p, fmt.Errorf("%s: this is not a policy as JSON: %w", file, err)
	}
	within := file + ": "
	p.Where = func(path string) string { return strings.TrimRight(within+path, ".: ") }
	switch {
	case fields["apps"] != nil:
		return p, fmt.Errorf("%s: this is a config, not one policy; use --config", file)
	case fields["policy"] != nil:
		var answer policyAsConfigured
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&answer); err != nil {
			return p, fmt.Errorf("%s: %w", file, err)
		}
		p.Policy, p.Hosts, within = answer.Policy, answer.Hosts, within+"policy."
		p.InForce = page.InForce{Since: answer.First, Changed: answer.Since}
		err := p.resolve()
		if err == nil && answer.Digest != "" && answer.Digest != p.Resolved.Digest() {
			err = fmt.Errorf("%s: digest: %q: the policy in the file has another one: %q", file,
				report.Printable(answer.Digest),
				p.Resolved.Digest())
		}
		return p, err
	}
	if h := string(fields["handler"]); h != "" && h != `"cookie_policy"` {
		return p, fmt.Errorf("%s: handler: %s: want \"cookie_policy\"", file, report.Printable(h))
	}
	delete(fields, "handler")
	if b, err = json.Marshal(fields); err != nil {
		return p, err
	}
	if err := json.Unmarshal(b, &p.Policy); err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	return p, p.resolve()
}
