package policy

import "slices"

// clone returns a copy that shares no memory with the policy, except for its presets: what they say
// is copied where they are written out.
func (p *Policy) clone() Policy {
	c := *p
	c.Allow = slices.Clone(p.Allow)
	for i := range c.Allow {
		c.Allow[i] = c.Allow[i].clone()
	}
	c.Preference = slices.Clone(p.Preference)
	for i := range c.Preference {
		c.Preference[i] = c.Preference[i].clone()
	}
	c.Key = slices.Clone(p.Key)
	for i := range c.Key {
		c.Key[i] = c.Key[i].clone()
	}
	c.Signal = slices.Clone(p.Signal)
	for i := range c.Signal {
		c.Signal[i].Categories = slices.Clone(c.Signal[i].Categories)
	}
	c.RewriteDomain = slices.Clone(p.RewriteDomain)
	c.Load.Open, c.Load.Except = slices.Clone(p.Load.Open), slices.Clone(p.Load.Except)
	return c
}

func (r Rule) clone() Rule {
	r.Cookies, r.RuleOptions = slices.Clone(r.Cookies), r.RuleOptions.clone()
	return r
}

func (o RuleOptions) clone() RuleOptions {
	o.Consent, o.Domain, o.Path = slices.Clone(o.Consent), slices.Clone(o.Domain), slices.Clone(o.Path)
	o.Origin = slices.Clone(o.Origin)
	o.Function, o.Purpose = slices.Clone(o.Function), slices.Clone(o.Purpose)
	return o
}

func (p Preference) clone() Preference {
	p.Cookies, p.Keys, p.Granted = slices.Clone(p.Cookies), slices.Clone(p.Keys), slices.Clone(p.Granted)
	return p
}
