package audit

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write schema/audit-1.json anew")

type object = map[string]any

// words are the members whose texts are words of a fixed list.
var words = map[string][]string{
	"State.verdict": {Holds, Broken, NotDemonstrated, Incomplete}, "State.by": {"", ByStored, ByClicked},
	"Purpose.verdict": {Holds, Broken, NotDemonstrated, Incomplete}, "State.at_end": {"", "same", "changed"},
	"Report.schema": {Schema}, "Cookie.party": {partyHost, partySite, partyThird},
	"Contact.party": {partyHost, partySite, partyThird}, "Stored.party": {partyHost, partySite, partyThird},
	"Seen.what":   {"set", "sent", "kept", "deleted", "refused_by_browser"},
	"Setter.kind": {"header", "script", "canary", "unattributed"}, "Finding.level": {LevelError, LevelWarning},
	"BrowserInfo.third_party_cookies": {"allow", "block"}, "PolicyInfo.source": {"admin", "config", "file"},
	"Read.party":  {partyHost, partySite, partyThird},
	"Stored.kind": {"local", "session", "indexeddb", "cache", "worker"},
	"Finding.finding": {SetRefused, SentRefused, Kept, Unlisted, Longer, Weaker, Renewed, ChoiceMissing, ChoiceContrary,
		ChoiceLost, Unattributed, Early, ThirdParty, StorageUsed, NeverSeen, ControlNotShown},
}

// schemaOf returns the JSON Schema of a type, and adds those of structs to defs.
func schemaOf(t reflect.Type, defs object) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem(), defs)
	case t.Kind() == reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem(), defs)}
	case t.Kind() == reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(t.Elem(), defs)}
	case t.Kind() == reflect.String:
		return object{"type": "string"}
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case t.Kind() == reflect.Int || t.Kind() == reflect.Uint64:
		return object{"type": "integer"}
	case t.Kind() != reflect.Struct:
		panic(t.String())
	}
	reference := object{"$ref": "#/$defs/" + t.Name()}
	if defs[t.Name()] != nil {
		return reference
	}
	properties, required := object{}, []string{}
	def := object{"type": "object", "properties": properties, "additionalProperties": false}
	defs[t.Name()] = def
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" {
			continue // not exported
		}
		s := schemaOf(t.Field(i).Type, defs)
		if t.Field(i).Type.Kind() == reflect.Pointer && !strings.Contains(options, "omitempty") {
			s["type"] = []any{s["type"], "null"}
		}
		if list := words[t.Name()+"."+name]; list != nil {
			s["enum"] = list
		}
		properties[name] = s
		if !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
	}
	def["required"] = required
	return reference
}

// The schema in the repository is that of the types.
func TestSchemaFile(t *testing.T) {
	const file = "schema/audit-1.json"
	defs := object{}
	schema := schemaOf(reflect.TypeFor[Report](), defs)
	schema["$schema"], schema["$defs"] = "https://json-schema.org/draft/2020-12/schema", defs
	schema["title"] = Schema
	schema["description"] = "An audit of a cookie policy from outside, as caddy cookie-policy audit writes it."
	want, err := json.MarshalIndent(schema, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not that of the types; run go test ./audit -run TestSchemaFile -update", file)
	}
}

// validator checks documents by a JSON Schema, as far as the one in the repository goes.
type validator struct{ defs object }

func (v *validator) check(path string, schema object, value any) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, path+": "+fmt.Sprintf(format, args...)) }
	if reference, is := schema["$ref"].(string); is {
		return v.check(path, v.defs[strings.TrimPrefix(reference, "#/$defs/")].(object), value)
	}
	if list, is := schema["enum"].([]any); is && !slices.Contains(list, value) {
		fault("%v is none of %v", value, list)
	}
	if types, is := schema["type"].([]any); is {
		if value == nil && slices.Contains(types, "null") {
			return nil
		}
		schema = maps.Clone(schema)
		schema["type"] = types[0]
	}
	switch value := value.(type) {
	case map[string]any:
		properties, _ := schema["properties"].(object)
		if schema["type"] != "object" {
			fault("is an object")
			return faults
		}
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if s, known := properties[name].(object); known {
				faults = append(faults, v.check(path+"."+name, s, value[name])...)
			} else if s, is := schema["additionalProperties"].(object); is {
				faults = append(faults, v.check(path+"."+name, s, value[name])...)
			} else {
				fault("%s is unknown", name)
			}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, has := value[name.(string)]; !has {
				fault("%s is missing", name)
			}
		}
	case []any:
		if schema["type"] != "array" {
			fault("is an array")
			return faults
		}
		for i, item := range value {
			faults = append(faults, v.check(fmt.Sprintf("%s[%d]", path, i), schema["items"].(object), item)...)
		}
	case string:
		if schema["type"] != "string" {
			fault("is a string")
		} else if _, err := time.Parse(time.RFC3339Nano, value); schema["format"] == "date-time" && err != nil {
			fault("%v", err)
		}
	case float64:
		if schema["type"] != "integer" || value != float64(int64(value)) {
			fault("is a number")
		}
	case bool:
		if schema["type"] != "boolean" {
			fault("is a boolean")
		}
	case nil:
		fault("is null")
	}
	return faults
}

func loadSchema(t *testing.T) (v *validator, schema object) {
	t.Helper()
	b, err := os.ReadFile("schema/audit-1.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	return &validator{schema["$defs"].(object)}, schema
}

// What an audit writes is as the schema says, and what is not as it says is noticed.
func TestSchema(t *testing.T) {
	v, schema := loadSchema(t)
	a := newAuditOf(t, originPolicy(nil))
	for _, state := range []string{Grant, Refuse} {
		out := newOutcome(t, state, refusesAll, 2)
		q := out.request(t, 0, "https://data.city.example/", "stat_1=secretvalue; Max-Age=100", "sessionid=secretvalue")
		q.sent = []sentCookie{{name: "other", domain: "data.city.example", path: "/"}}
		out.request(t, 1, "https://tracker.example/p?id=secretvalue")
		out.request(t, 1, "https://a.stats.example/p?id=secretvalue")
		out.writes = []write{{at: begun, kind: "local", subject: "key", where: out.top}}
		out.keep(0, jarKey{name: "stat_1", domain: "data.city.example", path: "/"},
			stored{mac: a.masker.mask("secretvalue"), length: 11})
		out.state.ReadAs, out.state.Pages = map[string]string{"stats": "refused"}, []Page{{Started: begun, Left: begun}}
		out.reads = map[readKey]int{{0, "https://cdn.example/a.js?id", "data.city.example"}: 3}
		out.state.Made, out.state.Clicks = []string{"choice"}, []Click{{Selector: "#a", Frame: "https://a.test/", At: begun}}
		out.problems = []problem{{ChoiceLost, "detail"}}
		a.collect(out)
		a.report.States = append(a.report.States, out.state)
	}
	a.report.Browser = BrowserInfo{ThirdPartyCookies: "allow", CommandLine: []string{}}
	a.report.Policy.Source = "config"
	a.report.Origin.Address = "192.0.2.7:443"
	a.conclude()
	b, err := json.Marshal(a.report)
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile("secretvalue").Match(b) {
		t.Errorf("a value is kept: %s", b)
	}
	var document object
	if err := json.Unmarshal(b, &document); err != nil {
		t.Fatal(err)
	}
	if faults := v.check("$", schema, document); len(faults) > 0 {
		t.Errorf("%s", strings.Join(faults, "\n"))
	}
	changes := object{"complete": "yes", "schema": "audit-2", "more": true, "cookies": nil, "started": "today"}
	for member, value := range changes {
		other := maps.Clone(document)
		other[member] = value
		if faults := v.check("$", schema, other); len(faults) != 1 {
			t.Errorf("%s: %v: %q", member, value, faults)
		}
	}
	delete(document, "findings")
	if faults := v.check("$", schema, document); len(faults) != 1 {
		t.Errorf("without findings: %q", faults)
	}
}

// Two audits do not tell that a value is the same, one does.
func TestMasker(t *testing.T) {
	a, b := newMasker(), newMasker()
	again := a.mask("x")
	if a.mask("x") != again || again == a.mask("y") || a.mask("x") == b.mask("x") || len(a.mask("x")) != 16 {
		t.Error("the masks are not those of a key of the audit's own")
	}
}
