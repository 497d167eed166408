package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// parsePolicy reads a policy from JSON that must be readable.
func parsePolicy(t *testing.T, text string) Policy {
	t.Helper()
	var p Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

func TestPolicyJSONRoundTrip(t *testing.T) {
	var n int
	var full Policy
	fill(reflect.ValueOf(&full).Elem(), &n)
	for _, want := range []Policy{
		{}, full,
		{Presets: []Preset{
			{Name: "opendatasoft"}, {Name: "matomo", RuleOptions: RuleOptions{Lifetime: day}},
			{Name: "piano", RuleOptions: RuleOptions{Lifetime: Session}},
			{Name: `"quoted" <&>`},
		}},
	} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsePolicy(t, string(b)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s was read back as %+v", b, got)
		}
		b2, err := json.Marshal(&want)
		if err != nil || string(b2) != string(b) {
			t.Errorf("a pointer is written as %s, %v; a value as %s", b2, err, b)
		}
	}
}

// fill gives each field of a policy that stands in its JSON a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), n)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprint("word", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) * int64(time.Hour))
	default:
		panic("a policy is plain data, and has no " + v.Kind().String())
	}
}

func TestPolicyUnmarshalJSONErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"allow":[],"nobody":1}`, `unknown field "nobody"`},
		{`{"allow":[{"category":"necessary","cookies":["a"],"httponly":true}]}`, `unknown field "httponly"`},
		{`{"presets":[{"name":"matomo","nobody":1}]}`, `unknown field "nobody"`},
		{`{"preference":[{"cookies":["p"],"cookie":"q"}]}`, `unknown field "cookie"`},
		{`{"signal":[{"signal":"gpc","category":"x"}]}`, `unknown field "category"`},
		{`{"rewrite_domain":[{"from":"a","into":"b"}]}`, `unknown field "into"`},
		{`{"allow":[{"purpose":[{"lang":"en"}]}]}`, `unknown field "lang"`},
		{`{"allow":[{"function":[{"lang":"en"}]}]}`, `unknown field "lang"`},
		{`{"key":[{"key":"a"}]}`, `unknown field "key"`},
		{`{"badDurations":{}}`, `unknown field "badDurations"`},
		{`{"allow":{}}`, "cannot unmarshal object"},
		{`{"mode":1}`, "cannot unmarshal number"},
		{`[]`, "cannot unmarshal array"},
		{`"opendatasoft"`, "cannot unmarshal string"},
		{``, "unexpected end"},
		{`{`, "unexpected end"},
		{`{} {}`, "after top-level value"},
	} {
		var p Policy
		if err := json.Unmarshal([]byte(c.text), &p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want %q in it", c.text, err, c.want)
		}
	}
	var p Policy
	if err := p.UnmarshalJSON(nil); err == nil {
		t.Error("no text was read as a policy")
	}
}

func TestPolicyUnmarshalJSONNull(t *testing.T) {
	for _, text := range []string{
		`null`, `{}`, `{"allow":null,"presets":null,"preference":null,"signal":null,"name":null}`,
	} {
		if p := parsePolicy(t, text); !reflect.DeepEqual(p, Policy{}) {
			t.Errorf("%s was read as %+v", text, p)
		}
	}
	p := parsePolicy(t,
		`{"allow":[{"category":"statistical","cookies":["a"],"lifetime":null,"max_age":null}]}`)
	if got := faultsOf(t, p); got != nil {
		t.Errorf("durations of null have the faults %q", got)
	}
}

// A duration that is not one is a fault among the others, with its path and its word.
func TestPolicyUnmarshalJSONBadDurations(t *testing.T) {
	places := map[string]string{
		"presets[1].lifetime": `{"presets":["opendatasoft",{"name":"matomo","lifetime":%s}]}`,
		"presets[1].max_age":  `{"presets":["opendatasoft",{"name":"matomo","max_age":%s}]}`,
		"allow[0].lifetime":   `{"allow":[{"category":"necessary","cookies":["a"],"lifetime":%s}]}`,
		"allow[0].max_age":    `{"allow":[{"category":"necessary","cookies":["a"],"max_age":%s}]}`,
		"preference[0].max_age": `{"presets":["matomo"],
			"preference":[{"cookies":["p"],"timestamp":"t","max_age":%s}]}`,
	}
	words := map[string]string{
		`"soon"`: "soon", `""`: "", `"183"`: "183", `"183 days"`: "183 days", `"1y"`: "1y", `"0s"`: "0s",
		`"a\"b\n"`: "a\"b\n", `0`: "0", `1.5`: "1.5", `1e99`: "1e99", `true`: "true", `[1]`: "[1]",
		`{"d":1}`: `{"d":1}`,
	}
	for path, text := range places {
		for _, value := range []string{`"183d"`, `"36h"`, `15811200000000000`, `null`} {
			if got := faultsOf(t, parsePolicy(t, fmt.Sprintf(text, value))); got != nil {
				t.Errorf("%s: %s has the faults %q", path, value, got)
			}
		}
		for value, word := range words {
			p := parsePolicy(t, fmt.Sprintf(text, value))
			got := faultsOf(t, p)
			if len(got) != 1 || got[0] != path+" "+word {
				t.Errorf("%s: %s has the faults %q", path, value, got)
			}
		}
	}

	p := parsePolicy(t, `{"mode":"x","allow":[
		{"category":"necessary","cookies":["a"],"lifetime":"long","max_age":"longer"},
		{"category":"necessary","cookies":["b"],"lifetime":"36h","max_age":"short"}],
		"preference":[{"cookies":["p"]},{"cookies":["q"],"timestamp":"t","max_age":"never"}]}`)
	const want = `allow[0].lifetime: "long": this is not a duration; ` +
		"write one such as 30m, 12h or 183d\n" +
		`allow[0].max_age: "longer": this is not a duration; ` +
		"write one such as 30m, 12h or 183d\n" +
		`allow[1].max_age: "short": this is not a duration; ` +
		"write one such as 30m, 12h or 183d\n" +
		`preference[1].max_age: "never": this is not a duration; ` +
		"write one such as 30m, 12h or 183d\n" +
		`mode: "x": no such mode; want enforce or report`
	if got := p.Faults().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The words of one reading are not those of the next.
func TestPolicyUnmarshalJSONAgain(t *testing.T) {
	p := parsePolicy(t, `{"allow":[{"category":"necessary","cookies":["a"],"lifetime":"soon"}]}`)
	again := `{"allow":[{"category":"necessary","cookies":["a"],"lifetime":"later"}]}`
	if err := json.Unmarshal([]byte(again), &p); err != nil {
		t.Fatal(err)
	}
	if got := faultsOf(t, p); len(got) != 1 || got[0] != "allow[0].lifetime later" {
		t.Errorf("the faults are %q", got)
	}
	p.Allow[0].Lifetime = day
	if got := faultsOf(t, p); got != nil {
		t.Errorf("a lifetime put right has the faults %q", got)
	}
}

// A declared lifetime can be `session`, and nothing else can.
func TestPolicyUnmarshalJSONSession(t *testing.T) {
	for text, want := range map[string][]string{
		`{"allow":[{"category":"necessary","cookies":["a"],"lifetime":"session"}]}`: nil,
		`{"presets":[{"name":"matomo","lifetime":"session"}]}`:                      nil,
		`{"allow":[{"category":"necessary","cookies":["a"],"max_age":"session"}]}`: {
			"allow[0].max_age session"},
		`{"presets":[{"name":"matomo","max_age":"session"}]}`: {"presets[0].max_age session"},
		`{"presets":["matomo"],"preference":[{"cookies":["p"],"timestamp":"t","max_age":"session"}]}`: {
			"preference[0].max_age session"},
		`{"allow":[{"category":"necessary","cookies":["a"],"lifetime":"Session"}]}`: {
			"allow[0].lifetime Session"},
	} {
		if got := faultsOf(t, parsePolicy(t, text)); !slices.Equal(got, want) {
			t.Errorf("%s has the faults %q, want %q", text, got, want)
		}
	}
}

func TestPresetUnmarshalJSON(t *testing.T) {
	for text, want := range map[string]Preset{
		`"matomo"`:          {Name: "matomo"},
		`{"name":"matomo"}`: {Name: "matomo"},
		`{"name":"matomo","consent":["stats"]}`: {
			"matomo", RuleOptions{Consent: []string{"stats"}},
		},
	} {
		var got Preset
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s was read as %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		`1`, `[]`, `{"name":"matomo","nobody":1}`, `{"name":1}`, `{"name":"matomo","category":"necessary"}`,
	} {
		var got Preset
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s was read as %+v", text, got)
		}
	}
	var p Preset
	if err := p.UnmarshalJSON(nil); err == nil {
		t.Error("no text was read as a preset")
	}
}

func TestPresetMarshalJSON(t *testing.T) {
	for want, p := range map[string]Preset{
		`"matomo"`:                         {Name: "matomo"},
		`""`:                               {},
		`"\u003c\u0026\""`:                 {Name: `<&"`},
		`{"name":"matomo","secure":true}`:  {Name: "matomo", RuleOptions: RuleOptions{Secure: true}},
		`{"name":"","lifetime":"183d"}`:    {RuleOptions: RuleOptions{Lifetime: sixMonths}},
		`{"name":"piano","consent":["k"]}`: {Name: "piano", RuleOptions: RuleOptions{Consent: []string{"k"}}},
	} {
		if b, err := json.Marshal(p); err != nil || string(b) != want {
			t.Errorf("%+v is written as %s, %v; want %s", p, b, err, want)
		}
	}
}

// Each field has the name in JSON that the documentation gives it.
func TestPolicyJSONFields(t *testing.T) {
	p := complete()
	p.Load = Load{Mode: LoadReport}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for field := range reflect.TypeFor[Policy]().Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); field.IsExported() {
			want[name] = true
		}
	}
	if keys := fmt.Sprint(len(got)); keys != fmt.Sprint(len(want)) {
		t.Errorf("%d fields are written of %d", len(got), len(want))
	}
	for name := range maps.Keys(got) {
		if !want[name] {
			t.Errorf("the field %s is unknown", name)
		}
	}
}
