package cookiepolicy

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cookie-policy/caddy-cookie-policy/cspreport"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// collector shows the counts of observers to Prometheus. They are added up on demand; no request
// does anything for it. Labels come from the configuration and from fixed words only, never from the
// wire.
//
// Each config has a registry of its own, and Caddy may show that of a config that it is about to
// load, or failed to load: the metrics are always about the policies that run.
type collector struct{}

var (
	verdictsMetric = prometheus.NewDesc("caddy_cookie_policy_verdicts_total",
		"Verdicts on cookies, by policy, mode, channel, category and verdict. "+
			"Those in mode report were not carried out.",
		[]string{"policy", "mode", "channel", "category", "verdict"}, nil)
	preferencesMetric = prometheus.NewDesc("caddy_cookie_policy_preferences_total",
		"Preferences that were read, by policy and state.", []string{"policy", "state"}, nil)
	unlistedMetric = prometheus.NewDesc("caddy_cookie_policy_unlisted_names",
		"Cookie names in the inventory that no rule of the policy names.", []string{"policy"}, nil)
	requestsMetric = prometheus.NewDesc("caddy_cookie_policy_requests_total",
		"Requests that the policy saw.", []string{"policy"}, nil)
	lastRequestMetric = prometheus.NewDesc("caddy_cookie_policy_last_request_timestamp_seconds",
		"Unix time of the last request that the policy saw; 0 if it saw none.", []string{"policy"}, nil)
	savedMetric = prometheus.NewDesc("caddy_cookie_policy_choices_saved_total",
		"Answers that visitors saved on the policy page, by policy, consent key and outcome.",
		[]string{"policy", "key", "outcome"}, nil)
	infoMetric = prometheus.NewDesc("caddy_cookie_policy_info",
		"The policy in force. Always 1.", []string{"policy", "digest", "mode"}, nil)
	inForceMetric = prometheus.NewDesc("caddy_cookie_policy_in_force_since_timestamp_seconds",
		"Unix time since when the policy has been in force.", []string{"policy"}, nil)
	loadsMetric = prometheus.NewDesc("caddy_cookie_policy_load_reports_total",
		"Reports of browsers that a page loads from a third party, by policy, category and verdict.",
		[]string{"policy", "category", "verdict"}, nil)
	droppedMetric = prometheus.NewDesc("caddy_cookie_policy_load_reports_dropped_total",
		"Reports of browsers that were not counted, by policy and reason.", []string{"policy", "reason"}, nil)
	storedMetric = prometheus.NewDesc("caddy_cookie_policy_evidence_stored_timestamp_seconds",
		"Unix time until which the evidence of the policy is in storage; 0 if none is.", []string{"policy"}, nil)
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
	for _, desc := range []*prometheus.Desc{
		verdictsMetric, preferencesMetric, unlistedMetric, requestsMetric, lastRequestMetric,
		savedMetric, infoMetric, inForceMetric, loadsMetric, droppedMetric, storedMetric,
	} {
		descs <- desc
	}
}

// Collect implements [prometheus.Collector].
func (*collector) Collect(metrics chan<- prometheus.Metric) {
	counter := func(desc *prometheus.Desc, n uint64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(desc *prometheus.Desc, n float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, n, labels...)
	}
	for _, p := range policiesRunning() {
		name := p.name()
		for _, mode := range []observe.Mode{observe.Enforce, observe.Report} {
			p.observer.Verdicts(mode, func(ch observe.Channel, category policy.Category, v observe.Verdict, n uint64) {
				// The other mode has counts only if the policy was in it before.
				if n > 0 || mode.String() == p.mode() {
					counter(verdictsMetric, n, name, mode.String(), ch.String(), string(category), v.Word(mode))
				}
			})
		}
		p.observer.Preferences(func(state policy.PreferenceState, n uint64) {
			counter(preferencesMetric, n, name, state.String())
		})
		gauge(unlistedMetric, float64(report.CountUnlisted(p.enforcer.Policy(), p.observer)), name)
		requests, last := p.observer.Requests()
		counter(requestsMetric, requests, name)
		var lastSeconds float64
		if requests > 0 {
			lastSeconds = float64(last.Unix())
		}
		gauge(lastRequestMetric, lastSeconds, name)
		for _, key := range p.enforcer.Policy().ConsentKeys() {
			saved := p.observer.Saved(key)
			counter(savedMetric, saved.Granted, name, key, policy.Granted.String())
			counter(savedMetric, saved.Refused, name, key, policy.Refused.String())
		}
		if p.enforcer.AsksForReports() {
			p.observer.Loads(func(category policy.Category, verdict string, n uint64) {
				counter(loadsMetric, n, name, string(category), verdict)
			})
			for _, reason := range cspreport.Reasons {
				counter(droppedMetric, p.observer.Dropped(reason), name, reason)
			}
		}
		gauge(infoMetric, 1, name, p.digest(), p.mode())
		gauge(inForceMetric, float64(p.since().Unix()), name)
		if p.storage != nil {
			stored := 0.0
			if at := p.keeper.Stored(); !at.IsZero() {
				stored = float64(at.Unix())
			}
			gauge(storedMetric, stored, name)
		}
	}
}
