package consent

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// tool is a consent tool, with values of its cookies and how they are read.
type tool struct {
	preset string
	keys   []string
	cases  []toolCase
}

type toolCase struct{ name, cookies, want string }

// readTools reads testdata/tools.txt, which says what its lines mean.
func readTools(t *testing.T) (tools []tool) {
	t.Helper()
	b, err := os.ReadFile("testdata/tools.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	for i := 0; i < len(lines); i++ {
		switch line := lines[i]; {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "== "):
			preset, keys, _ := strings.Cut(line[len("== "):], ": ")
			tools = append(tools, tool{preset: preset, keys: strings.Fields(keys)})
		case i+2 < len(lines) && strings.HasPrefix(lines[i+1], "\t") && strings.HasPrefix(lines[i+2], "\t"):
			last := &tools[len(tools)-1]
			last.cases = append(last.cases, toolCase{line, lines[i+1][1:], lines[i+2][1:]})
			i += 2
		default:
			t.Fatalf("testdata/tools.txt:%d: neither a tool nor a case of three lines", i+1)
		}
	}
	return tools
}

// resolvedTool returns the policy of a tool's preset.
func resolvedTool(t *testing.T, preset string) *policy.Resolved {
	t.Helper()
	p := policy.Policy{Presets: []policy.Preset{{Name: preset}}}
	resolved, err := p.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

func TestReadTools(t *testing.T) {
	for _, tool := range readTools(t) {
		r := NewReader(resolvedTool(t, tool.preset).Policy().Preference, atNoon)
		keys := Keys{}
		for i, key := range tool.keys {
			keys[key] = i
		}
		for _, c := range tool.cases {
			t.Run(tool.preset+"/"+c.name, func(t *testing.T) {
				for _, cookies := range []string{c.cookies, "sessionid=x; theme=dark; " + c.cookies} {
					choice := r.Read(keys, []string{cookies}, nil)
					got := describe(t, choice, keys)
					if !choice.InDoubt() {
						got = ""
						for i, key := range tool.keys {
							got += " " + map[policy.Consent]string{
								policy.Undecided: "?", policy.Granted: "+", policy.Refused: "-",
							}[choice.Consent(i)] + key
						}
						got = got[1:]
					}
					if got != c.want {
						t.Errorf("%s was read as %q, want %q", cookies, got, c.want)
					}
				}
			})
		}
	}
}

// Each preset of a consent tool has its cases, in the order of the presets.
func TestReadToolsAll(t *testing.T) {
	var want, got []string
	for _, name := range policy.Presets() {
		if name != "opendatasoft" && len(resolvedTool(t, name).Policy().Preference) > 0 {
			want = append(want, name)
		}
	}
	for _, tool := range readTools(t) {
		got = append(got, tool.preset)
		for _, state := range []string{"+", "unreadable"} {
			has := func(c toolCase) bool { return strings.Contains(c.want, state) }
			if !slices.ContainsFunc(tool.cases, has) {
				t.Errorf("no case of %s is %q", tool.preset, state)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the tools are %q, want %q", got, want)
	}
}

// A tool's own cookies are necessary: its preset lets all of them through.
func TestReadToolsOwnCookies(t *testing.T) {
	for _, tool := range readTools(t) {
		resolved := resolvedTool(t, tool.preset)
		for _, c := range tool.cases {
			for name := range wire.Pairs([]string{c.cookies}) {
				if rule, _ := resolved.Lookup(name); rule == nil || rule.Category != policy.Necessary {
					t.Errorf("%s: the rule of %s is %v", tool.preset, name, rule)
				}
			}
		}
	}
}

// The choices were made on 20 November at 10:15; the clock shows noon on 15 January.
func TestReadToolsAge(t *testing.T) {
	var told []string
	for _, tool := range readTools(t) {
		preference := resolvedTool(t, tool.preset).Policy().Preference[0]
		if preference.Timestamp == "" {
			continue
		}
		told = append(told, tool.preset)
		for maxAge, want := range map[policy.Duration]State{56 * day: TooOld, 57 * day: Valid} {
			preference.MaxAge = maxAge
			r := NewReader([]policy.Preference{preference}, atNoon)
			if got := r.Read(nil, []string{tool.cases[0].cookies}, nil).State; got != want {
				t.Errorf("%s, with max_age %s: %v, want %v", tool.preset, maxAge, got, want)
			}
		}
	}
	if want := []string{"cookiebot", "cookieconsent", "axeptio", "didomi"}; !slices.Equal(told, want) {
		t.Errorf("the time is told by %q, want %q", told, want)
	}
}
