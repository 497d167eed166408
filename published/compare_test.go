package published_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/published"
)

func resolve(t *testing.T, p policy.Policy) *policy.Resolved {
	t.Helper()
	r, err := p.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const comparedPage = `## Necessary cookies

| Cookie name | Purpose | Expiry |
|---|---|---|
| sessionid | Keeps you signed in | session |
| csrftoken | Protects forms | 12 months |

## Statistics

| Cookie name | Purpose | Expiry |
|---|---|---|
| _pk_id.<site> | Counts visits | 13 months |
| _pk_* | Counts visits | |
| _ga | Counts visits | 2 years |
`

func TestCompare(t *testing.T) {
	const day = policy.Duration(24 * time.Hour)
	rule := func(category policy.Category, lifetime policy.Duration, purpose string, names ...string) policy.Rule {
		r := policy.Rule{Category: category, Cookies: names}
		r.Lifetime = lifetime
		if purpose != "" {
			r.Purpose = []policy.Text{{Language: "en", Text: purpose}}
		}
		return r
	}
	page := published.Read([]byte(comparedPage), published.Text)
	for _, c := range []struct {
		name  string
		rules []policy.Rule
		want  []published.Difference
	}{
		{"the same", []policy.Rule{
			rule(policy.Necessary, policy.Session, "Keeps you signed in", "sessionid"),
			rule(policy.Necessary, 365*day, "", "csrftoken"),
			rule(policy.Statistical, 395*day, "Counts visits", "_pk_id*"),
			rule(policy.Statistical, 0, "Counts visits", "_pk_ses*", "_pk_ref"),
			rule(policy.Statistical, 730*day, "Counts visits", "_ga"),
		}, nil},
		{"everything else", []policy.Rule{
			rule(policy.Statistical, 14*day, "Holds the session", "sessionid"),
			rule(policy.Necessary, 0, "", "csrftoken", "django_language"),
			rule(policy.Statistical, 395*day, "Counts visits", "_pk_*"),
		}, []published.Difference{
			{Kind: published.OtherCategory, Name: "sessionid", Line: 5, Rule: "sessionid",
				Page: "necessary", Policy: "statistical"},
			{Kind: published.OtherLifetime, Name: "sessionid", Line: 5, Rule: "sessionid", Page: "session", Policy: "14d"},
			{Kind: published.OtherPurpose, Name: "sessionid", Line: 5, Rule: "sessionid",
				Page: "Keeps you signed in", Policy: "Holds the session"},
			{Kind: published.OtherLifetime, Name: "csrftoken", Line: 6, Rule: "csrftoken", Page: "12 months"},
			{Kind: published.OnlyOnPage, Name: "_ga", Line: 14, Page: "statistical"},
			{Kind: published.OnlyInPolicy, Name: "django_language", Rule: "django_language", Policy: "necessary"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := published.Compare(page, resolve(t, policy.Policy{Allow: c.rules}))
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, c.want)
			}
			for _, d := range got {
				if d.Counts() == (d.Kind == published.OtherPurpose) {
					t.Errorf("%+v counts: %t", d, d.Counts())
				}
			}
		})
	}
}

// TestCompare_imported compares each page with the policy that was made from it: but for rows in
// doubt, nothing differs.
func TestCompare_imported(t *testing.T) {
	for _, file := range append(pages(t), portals(t)...) {
		b := readFile(t, file)
		page := published.Read(b, published.KindOf("", b))
		block, _ := page.Block("")
		p := adapt(t, block)
		if p == nil {
			continue
		}
		p.Presets = nil
		page.Rows = slices.DeleteFunc(page.Rows, func(row published.Row) bool { return row.Doubt != "" })
		for _, d := range published.Compare(page, resolve(t, *p)) {
			// A lifetime that could not be read stands on one side only.
			if d.Counts() && !(d.Kind == published.OtherLifetime && d.Policy == "") {
				t.Errorf("%s: %+v", file, d)
			}
		}
	}
}
