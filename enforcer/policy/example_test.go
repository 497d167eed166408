package policy_test

import (
	"fmt"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// All faults of a policy are found at once, each with the field's path and what would be right.
func ExamplePolicy_Faults() {
	p := policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Allow: []policy.Rule{
			{Category: "marketing", Cookies: []string{"_fbp"}},
			{Category: policy.ThirdParty},
		},
		Mode: "dry-run",
	}
	for _, fault := range p.Faults() {
		fmt.Println(fault)
	}
	// Output:
	// allow[0].category: "marketing": no such category; want necessary, statistical, first_party or third_party
	// allow[1].cookies: this rule names no cookie; name at least one after the category, or an origin in the rule's block
	// mode: "dry-run": no such mode; want enforce or report
}
