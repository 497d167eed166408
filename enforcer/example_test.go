package enforcer_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

func ExampleCompile() {
	e, err := enforcer.Compile(policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}, {Name: "matomo"}},
		Allow:   []policy.Rule{{Category: policy.Necessary, Cookies: []string{"basket"}}},
	}, time.Now)
	if err != nil {
		fmt.Println(err)
		return
	}
	rule, pattern := e.Policy().Lookup("_pk_id.1")
	fmt.Println(rule.Category, pattern)
	// Output: statistical _pk_id*
}

// analytics compiles a policy with a tracker that needs consent.
func analytics() *enforcer.Enforcer {
	e, err := enforcer.Compile(policy.Policy{
		Allow: []policy.Rule{
			{Category: policy.Necessary, Cookies: []string{"sessionid"}},
			{Category: policy.Statistical, Cookies: []string{"_ga"}},
		},
		Preference: []policy.Preference{{Cookies: []string{"cookies_preferences"}}},
	}, time.Now)
	if err != nil {
		panic(err)
	}
	return e
}

func ExampleEnforcer_Visit() {
	request := http.Header{"Cookie": {`sessionid=1; _ga=2; cookies_preferences={"statistical":false}`}}
	visit := analytics().Visit(enforcer.Request{Header: request, Host: "data.example.org", HTTPS: true})
	defer visit.End()

	visit.FilterRequest()
	fmt.Println(request["Cookie"]) // what the portal reads

	response := http.Header{
		"Content-Type": {"text/html"},
		"Set-Cookie":   {"sessionid=3; Path=/; HttpOnly", "_ga=4; Path=/; Max-Age=63072000"},
	}
	visit.CompleteResponse(response)

	// The session is kept. The tracker is not set, and is removed from the browser: of the host alone
	// and of its domain, inside and outside a partition.
	for _, line := range response["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		fmt.Println(pair)
	}
	fmt.Println(response["Cache-Control"], response["Vary"])
	// Output:
	// [sessionid=1; cookies_preferences={"statistical":false}]
	// sessionid=3
	// _ga=
	// _ga=
	// _ga=
	// _ga=
	// [private] [Cookie]
}

// The error of Compile holds everything that is wrong with a policy.
func Example_faults() {
	_, err := enforcer.Compile(policy.Policy{
		Presets:  []policy.Preset{{Name: "matomoo"}},
		Unlisted: "allow",
	}, time.Now)
	var faults policy.Faults
	if errors.As(err, &faults) {
		for _, fault := range faults {
			fmt.Printf("%s is %s\n", fault.Path, fault.Word)
		}
	}
	// Output:
	// presets[0] is matomoo
	// unlisted is allow
}

// This is the wrong way: what reads the request's cookies before FilterRequest reads those that the
// policy does not let through.
func ExampleVisit_FilterRequest_wrong() {
	request := &http.Request{Header: http.Header{"Cookie": {"sessionid=1; _ga=2"}}}
	visit := analytics().Visit(enforcer.Request{Header: request.Header})

	early := len(request.Cookies()) // wrong: with the tracker
	visit.FilterRequest()
	late := len(request.Cookies()) // right

	fmt.Println(early, late)
	// Output: 2 1
}
