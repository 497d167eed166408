package cookiepolicy

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

// collector shows to Prometheus what observers counted. The numbers are added up when somebody asks; nothing of it is on the way of a request.
// Labels come from the configuration and from fixed words only, never from the wire.
//
// Each config has a registry of its own, and Caddy shows the one of a config that it is only about to load, or could not: what is told is always
// of the policies that run.
type collector struct{}

var (
	verdictsMetric = prometheus.NewDesc("caddy_cookie_policy_verdicts_total",
		"Verdicts on cookies, by policy, channel, category and verdict.", []string{"policy", "channel", "category", "verdict"}, nil)
	preferencesMetric = prometheus.NewDesc("caddy_cookie_policy_preferences_total",
		"Preferences that were read, by policy and state.", []string{"policy", "state"}, nil)
	unlistedMetric = prometheus.NewDesc("caddy_cookie_policy_unlisted_names",
		"Cookie names in the inventory that no rule of the policy names.", []string{"policy"}, nil)
	infoMetric = prometheus.NewDesc("caddy_cookie_policy_info",
		"The policy in force: its value is the Unix time since when.", []string{"policy", "digest", "mode"}, nil)
)

// register adds the metrics to a config's registry, once.
func register(registry *prometheus.Registry) error {
	err := registry.Register(new(collector))
	if errors.As(err, new(prometheus.AlreadyRegisteredError)) {
		return nil
	}
	return err
}

// Describe implements [prometheus.Collector].
func (*collector) Describe(descs chan<- *prometheus.Desc) {
	descs <- verdictsMetric
	descs <- preferencesMetric
	descs <- unlistedMetric
	descs <- infoMetric
}

// Collect implements [prometheus.Collector].
func (*collector) Collect(metrics chan<- prometheus.Metric) {
	for _, p := range policiesRunning() {
		name := p.enforcer.Name()
		p.observer.Verdicts(func(channel enforcer.Channel, category enforcer.Category, verdict enforcer.Verdict, n uint64) {
			metrics <- prometheus.MustNewConstMetric(verdictsMetric, prometheus.CounterValue, float64(n),
				name, channel.String(), string(category), verdict.String())
		})
		p.observer.Preferences(func(state string, n uint64) {
			metrics <- prometheus.MustNewConstMetric(preferencesMetric, prometheus.CounterValue, float64(n), name, state)
		})
		metrics <- prometheus.MustNewConstMetric(unlistedMetric, prometheus.GaugeValue, float64(p.observer.UnlistedKnown(p.enforcer)), name)
		metrics <- prometheus.MustNewConstMetric(infoMetric, prometheus.GaugeValue, float64(p.since().Unix()), name, p.enforcer.Digest(), p.enforcer.Mode())
	}
}
