package cookiepolicy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/page"
)

// configuredPolicy is a policy of a config file or of a gateway.
type configuredPolicy struct {
	Policy   policy.Policy // as it was configured: with the names of its presets
	Resolved *policy.Resolved
	Hosts    []string // of the sites that have it, not printable; a site without a name has none

	// Page is the config of the page of one of these sites, or nil if none has one.
	Page *page.Config

	// InForce is when the policy came into force on the gateway; zero for a config file.
	InForce page.InForce

	// Where returns where a field of the policy was written, by its path in the JSON config: a file and
	// a line, or the path in a config that has no lines. An empty path is that of the policy.
	Where func(path string) string
}

// configFlags adds the flags by which a command takes policies from a config file, without a gateway.
func (q *query) configFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&q.config, "config", "",
		"a Caddyfile or a JSON config to take the policies from, in place of a running gateway")
	cmd.Flags().StringVar(&q.adapter, "adapter", "",
		"the config adapter for --config; not needed for a Caddyfile or JSON")
}

// policies returns the policies of the config file or of the gateways, or the one of them that was
// chosen.
func (q *query) policies() ([]configuredPolicy, error) {
	var all []configuredPolicy
	var err error
	if q.config != "" {
		all, err = loadPolicies(q.config, q.adapter)
	} else {
		all, err = askPolicies(q.addresses)
	}
	if err != nil || q.policy == "" {
		return all, err
	}
	var names []string
	for _, p := range all {
		if p.Resolved.Name() == q.policy {
			return []configuredPolicy{p}, nil
		}
		names = append(names, p.Resolved.Name())
	}
	return nil, fmt.Errorf("%q: there is no policy of this name; there are %s", q.policy, strings.Join(names, ", "))
}

// policySet is policies by their names.
type policySet map[string]*configuredPolicy

// add adds a policy. The same one can be on several sites; two different ones under one name are an
// error, as they are to Caddy.
func (s *policySet) add(p configuredPolicy) error {
	if *s == nil {
		*s = policySet{}
	}
	known := (*s)[p.Resolved.Name()]
	if known == nil {
		p.Hosts = distinct(p.Hosts)
		(*s)[p.Resolved.Name()] = &p
		return nil
	}
	if known.Resolved.Digest() != p.Resolved.Digest() {
		return fmt.Errorf("name: %q: two different policies have this name: %s and %s",
			p.Resolved.Name(), known.Where(""), p.Where(""))
	}
	known.Hosts = distinct(slices.Concat(known.Hosts, p.Hosts))
	known.Page = cmp.Or(known.Page, p.Page)
	return nil
}

// sorted returns the policies in the order of their names.
func (s policySet) sorted() (sorted []configuredPolicy) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		sorted = append(sorted, *s[name])
	}
	return sorted
}

// askPolicies returns the policies of running gateways, in the order of their names.
func askPolicies(addresses []string) ([]configuredPolicy, error) {
	var all policySet
	for _, address := range addresses {
		g := listPolicies(address)
		if g.err != nil {
			return nil, fmt.Errorf("%s: %w; to take the policies from a config file, use --config", address, g.err)
		}
		for _, name := range g.policies {
			var answer policyAsConfigured
			if err := get(address, url.PathEscape(name)+"/policy", &answer); err != nil {
				return nil, fmt.Errorf("%s: %w", address, err)
			}
			p := configuredPolicy{Policy: answer.Policy, Hosts: answer.Hosts, Page: answer.Page,
				InForce: page.InForce{Since: answer.First, Changed: answer.Since}}
			p.Where = func(path string) string {
				if path == "" {
					return address
				}
				return address + ": " + path
			}
			var err error
			p.Resolved, err = p.Policy.Resolve()
			if err != nil {
				return nil, fmt.Errorf("%s: %s", address, report.Printable(err.Error()))
			}
			if p.Resolved.Digest() != answer.Digest {
				return nil, fmt.Errorf("%s: this program reads the policy %s in another way than the gateway: "+
					"use the same version of both", address, report.Printable(name))
			}
			if err := all.add(p); err != nil {
				return nil, fmt.Errorf("%w; ask one gateway at a time", err)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no gateway has a policy")
	}
	return all.sorted(), nil
}
