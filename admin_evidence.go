package cookiepolicy

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

// asksFleet reports whether a request is about all gateways, by its scope.
func asksFleet(r *http.Request) (bool, error) {
	switch scope := r.URL.Query().Get("scope"); scope {
	case evidence.ScopeFleet:
		return true, nil
	case "", evidence.ScopeInstance:
		return false, nil
	default:
		return false, apiError(http.StatusBadRequest,
			fmt.Sprintf("scope: %q: no such scope; want %s or %s", scope, evidence.ScopeInstance, evidence.ScopeFleet))
	}
}

// longestFleet is how long the evidence of all gateways is read.
const longestFleet = 25 * time.Second

// ofFleet asks the evidence of all gateways.
func ofFleet[T any](
	r *http.Request, p *runningPolicy, ask func(*evidence.Question, context.Context) (T, error),
) (any, error) {
	if p.storage == nil {
		return nil, apiError(http.StatusNotFound, "this policy keeps no evidence in storage (evidence off), "+
			"so this gateway does not know of others; ask each of them with --address")
	}
	ctx, cancel := context.WithTimeout(r.Context(), longestFleet)
	defer cancel()
	answer, err := ask(&evidence.Question{
		Policy: p.enforcer.Policy(), Own: p.keeper.Record(time.Now()), Storage: p.storage, Now: time.Now(),
	}, ctx)
	if err != nil {
		return nil, apiError(http.StatusBadGateway, "the evidence in storage cannot be read: "+err.Error())
	}
	return answer, nil
}

// ofScope asks the evidence of this gateway, or of all.
func ofScope[T any](
	r *http.Request, p *runningPolicy, ask func(*evidence.Question, context.Context) (T, error),
) (any, error) {
	isFleet, err := asksFleet(r)
	switch {
	case err != nil:
		return nil, err
	case isFleet:
		return ofFleet(r, p, ask)
	}
	return ask(&evidence.Question{
		Policy: p.enforcer.Policy(), Own: p.keeper.Record(time.Now()), Now: time.Now(),
	}, r.Context())
}

// daysOfReport is how many days a report is about by default.
const daysOfReport = 30

// serveReport answers with the evidence of some days.
func serveReport(r *http.Request, p *runningPolicy) (any, error) {
	if p.storage == nil {
		return nil, apiError(http.StatusNotFound,
			"this policy keeps no evidence (evidence off), so there are no days to report")
	}
	today := time.Now().UTC()
	since, err := dayOf(r, "since", today.AddDate(0, 0, -daysOfReport))
	if err != nil {
		return nil, err
	}
	until, err := dayOf(r, "until", today)
	if err != nil {
		return nil, err
	}
	if since > until {
		return nil, apiError(http.StatusBadRequest, fmt.Sprintf("since: %s is after until, %s", since, until))
	}
	return ofScope(r, p, func(q *evidence.Question, ctx context.Context) (*evidence.Report, error) {
		return q.Report(ctx, since, until)
	})
}

// dayOf returns the day that a parameter of a request names, or another one if it names none.
func dayOf(r *http.Request, parameter string, otherwise time.Time) (string, error) {
	text := r.URL.Query().Get(parameter)
	if text == "" {
		return otherwise.Format(time.DateOnly), nil
	}
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return "", apiError(http.StatusBadRequest,
			fmt.Sprintf("%s: %q: this is no day; write one such as 2026-01-15", parameter, text))
	}
	return text, nil
}
