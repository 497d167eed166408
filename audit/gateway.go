package audit

import (
	"fmt"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// askBefore takes the inventory of the gateways before the audit.
func (a *audit) askBefore() (before report.Inventory, err error) {
	if a.options.Inventory == nil {
		return before, nil
	}
	if before, err = a.options.Inventory(); err != nil {
		err = fmt.Errorf("the gateway's inventory before the audit: %w", err)
	}
	return before, err
}

// askAfter takes it again, and reports what came to it meanwhile. A gateway that was loaded anew with
// another policy counts from zero: such counts are left out.
func (a *audit) askAfter(before report.Inventory) error {
	if a.options.Inventory == nil {
		return nil
	}
	after, err := a.options.Inventory()
	if err != nil {
		return fmt.Errorf("the gateway's inventory after the audit: %w", err)
	}
	g := &Gateway{Before: before.At.UTC(), After: after.At.UTC(), Delta: map[string]map[string]uint64{}}
	earlier := counts(before)
	for channel, verdicts := range counts(after) {
		for verdict, n := range verdicts {
			if was := earlier[channel][verdict]; n > was {
				if g.Delta[channel] == nil {
					g.Delta[channel] = map[string]uint64{}
				}
				g.Delta[channel][verdict] = n - was
			}
		}
	}
	a.report.Gateway = g
	return nil
}

// counts sums an inventory up by channel and verdict. What is removed from browsers has a channel of its
// own.
func counts(i report.Inventory) map[string]map[string]uint64 {
	sums := map[string]map[string]uint64{}
	for _, c := range i.Cookies {
		for verdict, n := range c.Verdicts {
			channel := c.Channel
			if verdict == "expired" || verdict == "would_expire" {
				channel = "expire"
			}
			if sums[channel] == nil {
				sums[channel] = map[string]uint64{}
			}
			sums[channel][verdict] += n
		}
	}
	return sums
}
