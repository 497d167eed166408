package consent

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// noon is what the clock shows in these tests.
var noon = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// readerOf returns a Reader of preferences, with their defaults written out.
func readerOf(tb testing.TB, preferences ...policy.Preference) *Reader {
	tb.Helper()
	p := policy.Policy{
		Allow:      []policy.Rule{{Category: policy.Necessary, Cookies: []string{"sessionid"}}},
		Preference: preferences,
	}
	resolved, err := p.Resolve()
	if err != nil {
		tb.Fatalf("this policy has faults: %v", err)
	}
	return NewReader(resolved.Policy().Preference, atNoon)
}

// prefsReader returns a Reader of the cookies prefs and more, read as p says.
func prefsReader(tb testing.TB, p policy.Preference) *Reader {
	tb.Helper()
	p.Cookies = []string{"prefs", "more"}
	return readerOf(tb, p)
}

// ab are the keys of most tests.
var ab = Keys{"a": 0, "b": 1}

// describe returns what a choice says about keys: `+a` where a is granted, `-a` where it is refused, and
// nothing where it is undecided; or the state of a preference in doubt.
func describe(tb testing.TB, c Choice, keys Keys) string {
	tb.Helper()
	want := c.State == Unreadable || c.State == Contradictory
	if c.InDoubt() != want || c.State.InDoubt() != want {
		tb.Errorf("%v is in doubt: %t", c.State, c.InDoubt())
	}
	if c.InDoubt() {
		if c.Granted != 0 || c.Refused != 0 {
			tb.Errorf("a choice in doubt grants %b and refuses %b", c.Granted, c.Refused)
		}
		return c.State.String()
	}
	if c.Granted&c.Refused != 0 {
		tb.Errorf("keys are both granted and refused: %b", c.Granted&c.Refused)
	}
	var words []string
	for key, k := range keys {
		consent := c.Consent(k)
		if (consent == policy.Granted) != c.Granted.Has(k) ||
			(consent == policy.Refused) != c.Refused.Has(k) {
			tb.Errorf("%s is %v, granted %t, refused %t", key, consent, c.Granted.Has(k), c.Refused.Has(k))
		}
		switch consent {
		case policy.Granted:
			words = append(words, "+"+key)
		case policy.Refused:
			words = append(words, "-"+key)
		}
	}
	slices.SortFunc(words, func(a, b string) int { return strings.Compare(a[1:], b[1:]) })
	return strings.Join(words, " ")
}

// readAB reads the keys a and b from Cookie lines.
func readAB(tb testing.TB, r *Reader, cookies ...string) string {
	tb.Helper()
	return describe(tb, r.Read(ab, cookies, nil), ab)
}

func TestReadUndecided(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	for _, c := range []struct {
		name    string
		cookies []string
		want    State
	}{
		{"no Cookie line", nil, None},
		{"an empty Cookie line", []string{""}, None},
		{"no preference among the cookies", []string{"sessionid=x; a=true; b=true"}, None},
		{"an empty object", []string{"prefs={}"}, Valid},
		{"blanks in an object", []string{"prefs={ }"}, Valid},
		{"other keys", []string{`prefs={"ga":true,"aa":true,"a ":true,"":true}`}, Valid},
		{"keys in another case", []string{`prefs={"A":true,"B":false}`}, Valid},
		{"keys deeper down", []string{`prefs={"x":{"a":true,"b":true},"y":[{"a":true}]}`}, Valid},
		{"a cookie in another case", []string{`PREFS={"a":true}`}, None},
		{"a cookie with another name", []string{`prefs2={"a":true}; xprefs={"a":true}; "prefs"={"a":true}`},
			None},
		{"a cookie of another kind of blank", []string{"\u00a0prefs={\"a\":true}"}, None},
		{"a nameless cookie", []string{`{"a":true}; ={"b":true}; prefs`}, None},
		{"a preference in another cookie's value", []string{`x=prefs={"a":true}, prefs={"a":true}`}, None},
	} {
		t.Run(c.name, func(t *testing.T) {
			choice := r.Read(ab, c.cookies, nil)
			if got := describe(t, choice, ab); got != "" || choice.State != c.want {
				t.Errorf("%q was read as %q, %v; want %v", c.cookies, got, choice.State, c.want)
			}
		})
	}
}

func TestReadPlace(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	const value = `{"a":true}`
	for _, cookies := range [][]string{
		{"prefs=" + value},
		{"x=y; prefs=" + value + "; z"},
		{"x=y;prefs=" + value + ";z=1"},
		{";;; \t prefs \t = \t " + value + " \t ;;"},
		{"x=y", "", "prefs=" + value},
		{"=; nameless; prefs=" + value},
	} {
		if got := readAB(t, r, cookies...); got != "+a" {
			t.Errorf("%q was read as %q", cookies, got)
		}
	}
}

func TestReadCopies(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	for _, c := range []struct {
		name    string
		cookies []string
		want    string
	}{
		{"every copy grants", []string{`prefs={"a":true,"b":true}; prefs={"a":true,"b":true}`}, "+a +b"},
		{"the second copy refuses", []string{`prefs={"a":true,"b":true}; prefs={"a":false,"b":true}`},
			"-a +b"},
		{"the first copy refuses", []string{`prefs={"a":false,"b":true}; prefs={"a":true,"b":true}`},
			"-a +b"},
		{"the second copy says nothing", []string{`prefs={"a":true,"b":true}; prefs={"b":true}`}, "+b"},
		{"the first copy says nothing", []string{`prefs={"b":true}; prefs={"a":true,"b":true}`}, "+b"},
		{"one copy refuses and one says nothing", []string{`prefs={}; prefs={"a":false}`}, "-a"},
		{"copies on two lines", []string{`x=y; prefs={"a":true}`, `prefs={"a":false}; x=y`}, "-a"},
		{"one copy cannot be read", []string{`prefs={"a":true}; prefs=`}, "unreadable"},
		{"the first copy cannot be read", []string{`prefs=; prefs={"a":true}`}, "unreadable"},
		{"one copy contradicts itself", []string{`prefs={"a":true}`, `prefs={"a":true,"a":true}`},
			"contradictory"},
		{"one copy cannot be read and one contradicts itself", []string{`prefs=; prefs={"a":1,"a":1}`},
			"contradictory"},
		{"three copies", []string{`prefs={"a":true,"b":true}; prefs={"a":true}; prefs={"a":true,"b":true}`},
			"+a"},
		{"of two cookies each grants a key", []string{`prefs={"a":true}; more={"b":true}`}, "+a +b"},
		{"of two cookies one refuses", []string{`prefs={"a":true}; more={"a":false,"b":true}`}, "-a +b"},
		{"of two cookies the other refuses", []string{`prefs={"a":false}; more={"a":true}`}, "-a"},
		{"of two cookies one is in doubt", []string{`prefs={"a":true}; more=x`}, "unreadable"},
		{"of two cookies the first is in doubt", []string{`prefs=x; more={"a":true}`}, "unreadable"},
		{"copies of one cookie do not make up for the other",
			[]string{`prefs={"a":true}; prefs={}; more={"b":true}`}, "+b"},
		{"what the copies of one cookie leave undecided the other grants",
			[]string{`prefs={"a":true}; prefs={}; more={"a":true}`}, "+a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := readAB(t, r, c.cookies...); got != c.want {
				t.Errorf("%q was read as %q, want %q", c.cookies, got, c.want)
			}
		})
	}
}

// What the response writes takes the place of what the request brought, if it is sure that browsers
// keep it there.
func TestReadWritten(t *testing.T) {
	const grant, refusal = `prefs={"a":true}`, `prefs={"a":false}`
	write := func(value string) Written { return Written{Cookie: "prefs", Value: value} }
	yes, no, nothing := write(`{"a":true}`), write(`{"a":false}`), write(`{}`)
	doubtful := func(w Written) Written {
		w.Doubtful = true
		return w
	}
	deletion := Written{Cookie: "prefs", Deleted: true}
	more := func(w Written) Written {
		w.Cookie = "more"
		return w
	}
	r := prefsReader(t, policy.Preference{})
	for _, c := range []struct {
		name    string
		cookies []string
		written []Written
		want    string
		state   State
	}{
		{"nothing", nil, nil, "", None},
		{"nothing, after a grant", []string{grant}, nil, "+a", Valid},
		{"nothing, after a refusal", []string{refusal}, nil, "-a", Valid},
		{"a grant", nil, []Written{yes}, "+a", Valid},
		{"a grant, after other cookies", []string{"x=1"}, []Written{yes}, "+a", Valid},
		{"a grant, after a refusal", []string{refusal}, []Written{yes}, "+a", Valid},
		{"a grant, encoded", []string{refusal}, []Written{write("%7B%22a%22%3Atrue%7D")},
			"+a", Valid},
		{"a refusal", nil, []Written{no}, "-a", Valid},
		{"a refusal, after a grant", []string{grant}, []Written{no}, "-a", Valid},
		{"what cannot be read, after a grant", []string{grant}, []Written{write("yes")},
			"unreadable", Unreadable},
		{"what contradicts itself, after a grant", []string{grant},
			[]Written{write(`{"a":true,"a":true}`)}, "contradictory", Contradictory},
		{"a grant, after what cannot be read", []string{"prefs=yes"}, []Written{yes}, "+a", Valid},
		{"no choice, after a grant", []string{grant}, []Written{nothing}, "", Valid},
		{"a deletion, after a grant", []string{grant}, []Written{deletion}, "", None},
		{"a deletion, with a grant for its value", []string{grant},
			[]Written{{Cookie: "prefs", Value: `{"a":true}`, Deleted: true}}, "", None},
		{"a deletion, after a refusal", []string{refusal}, []Written{deletion}, "", None},
		{"a deletion, after what cannot be read", []string{"prefs=yes"}, []Written{deletion}, "", None},
		{"a deletion alone", nil, []Written{deletion}, "", None},
		{"a grant and a refusal", nil, []Written{yes, no}, "-a", Valid},
		{"a refusal and a grant", nil, []Written{no, yes}, "-a", Valid},
		{"a deletion and a grant", []string{grant}, []Written{deletion, yes}, "+a", Valid},
		{"a deletion and a grant, after a refusal", []string{refusal}, []Written{deletion, yes}, "+a", Valid},

		{"the refusal in another preference", []string{grant}, []Written{more(no)}, "-a", Valid},
		{"the grant in another preference, after a refusal", []string{refusal}, []Written{more(yes)},
			"-a", Valid},
		{"a deletion of another preference", []string{grant}, []Written{more(deletion)}, "+a", Valid},
		{"a cookie that is no preference", []string{grant},
			[]Written{{Cookie: "other", Value: `{"a":false}`}},
			"+a", Valid},

		// Over two copies, it is unknown which one it takes the place of.
		{"a grant over two copies that refuse",
			[]string{refusal + "; " + refusal}, []Written{yes}, "-a", Valid},
		{"a grant over two copies that grant", []string{grant + "; " + grant}, []Written{yes}, "+a", Valid},
		{"a grant over copies on two lines", []string{grant, refusal}, []Written{yes}, "-a", Valid},
		{"a refusal over two copies that grant", []string{grant, grant}, []Written{no}, "-a", Valid},
		{"a deletion over two copies that refuse",
			[]string{refusal, refusal}, []Written{deletion}, "-a", Valid},
		{"a deletion over two copies that grant", []string{grant, grant}, []Written{deletion}, "+a", Valid},

		// Not every browser keeps it.
		{"a doubtful grant, after a refusal", []string{refusal}, []Written{doubtful(yes)}, "-a", Valid},
		{"a doubtful grant, after a grant", []string{grant}, []Written{doubtful(yes)}, "+a", Valid},
		{"a doubtful grant alone", nil, []Written{doubtful(yes)}, "+a", Valid},
		{"a doubtful grant, after no choice", []string{"prefs={}"}, []Written{doubtful(yes)}, "", Valid},
		{"a doubtful refusal, after a grant", []string{grant}, []Written{doubtful(no)}, "-a", Valid},
		{"a doubtful grant, after what cannot be read", []string{"prefs=yes"}, []Written{doubtful(yes)},
			"unreadable", Unreadable},
		{"a doubtful deletion, after a grant", []string{grant}, []Written{doubtful(deletion)}, "+a", Valid},
		{"a doubtful deletion, after a refusal",
			[]string{refusal}, []Written{doubtful(deletion)}, "-a", Valid},
		{"a doubtful grant and a sure one, after a refusal", []string{refusal},
			[]Written{doubtful(yes), yes}, "+a", Valid},
		{"a sure grant and a doubtful refusal", []string{refusal}, []Written{yes, doubtful(no)}, "-a", Valid},
		{"a doubtful line and a sure one of another preference", []string{refusal},
			[]Written{doubtful(yes), more(yes)}, "-a", Valid},
	} {
		t.Run(c.name, func(t *testing.T) {
			choice := r.Read(ab, c.cookies, c.written)
			if got := describe(t, choice, ab); got != c.want || choice.State != c.state {
				t.Errorf("read as %q, %v; want %q, %v", got, choice.State, c.want, c.state)
			}
		})
	}
}

// Of several cookies the highest state counts.
func TestReadState(t *testing.T) {
	r := prefsReader(t, aged)
	const valid, old = `={"a":true,"timestamp":1768400000}`, `={"a":true,"timestamp":1500000000}`
	const unreadable, contradictory = `={"a":true}%`, `={"a":true,"a":false}`
	for cookies, want := range map[string]State{
		"":                                      None,
		"sessionid=1":                           None,
		"prefs" + valid:                         Valid,
		`prefs={"a":true}`:                      Valid,
		"prefs" + old:                           TooOld,
		"prefs" + old + "; more" + valid:        Valid,
		"prefs" + valid + "; more" + old:        Valid,
		"prefs" + valid + "; prefs" + old:       Valid,
		"prefs" + unreadable:                    Unreadable,
		"prefs" + contradictory:                 Contradictory,
		"prefs" + unreadable + "; more" + valid: Unreadable,
		"prefs" + contradictory + "; more" + unreadable:               Contradictory,
		"prefs" + unreadable + "; more" + contradictory:               Contradictory,
		`prefs={"a":true,"a":true,"timestamp":1500000000}`:            Contradictory,
		`prefs={"a":true,"timestamp":1500000000,"timestamp":1700000}`: Contradictory,
		`prefs={"timestamp":1500000000}`:                              TooOld,
	} {
		if got := r.Read(ab, []string{cookies}, nil).State; got != want {
			t.Errorf("the state of %s is %v, want %v", cookies, got, want)
		}
	}
	// A copy that is too old grants nothing, and takes back what another copy grants.
	if got := readAB(t, r, "prefs"+valid+"; prefs"+old); got != "" {
		t.Errorf("beside a copy that is too old %q was read", got)
	}
}

func TestStateString(t *testing.T) {
	var words []string
	for s := range State(policy.PreferenceStates) {
		words = append(words, s.String())
	}
	want := []string{"none", "too_old", "valid", "unreadable", "contradictory"}
	if !slices.Equal(words, want) {
		t.Errorf("the words are %q, want %q", words, want)
	}
}

// Each of 64 keys is read for itself.
func TestReadManyKeys(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	keys, names := Keys{}, make([]string, policy.MaxKeys)
	for i := range names {
		names[i] = "k" + strings.Repeat("x", i)
		keys[names[i]] = i
	}
	for _, i := range []int{0, 1, 30, 31, 32, 33, 61, 62, 63} {
		granted, refused := names[i], names[(i+1)%len(names)]
		cookies := []string{fmt.Sprintf(`prefs={"%s":true,"%s":false}; prefs={"%[1]s":true}`,
			granted, refused)}
		choice := r.Read(keys, cookies, nil)
		for name, k := range keys {
			want := map[string]policy.Consent{granted: policy.Granted, refused: policy.Refused}[name]
			if got := choice.Consent(k); got != want {
				t.Errorf("%q: key %d is %v, want %v", cookies, k, got, want)
			}
		}
		twice := []string{`prefs={"` + granted + `":true,"` + granted + `":true}`}
		if got := r.Read(keys, twice, nil); got.State != Contradictory {
			t.Errorf("%q was read as %+v", twice, got)
		}
	}
}

func TestSet(t *testing.T) {
	var s Set
	for _, k := range []int{0, 31, 32, 63} {
		if s.Has(k) {
			t.Errorf("%b has %d", s, k)
		}
		if s.Add(k); !s.Has(k) {
			t.Errorf("%b does not have %d", s, k)
		}
	}
	if s.Has(1) || s.Has(62) {
		t.Errorf("%b has a key that was not added", s)
	}
}
