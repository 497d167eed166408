package evidence

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

var noon = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

// directory is a Storage in a directory. It fails as the test says.
type directory struct {
	path      string
	failLoad  error
	failStore error
}

func newDirectory(t testing.TB) *directory { return &directory{path: t.TempDir()} }

func (d *directory) file(key string) string { return filepath.Join(d.path, filepath.FromSlash(key)) }

func (d *directory) Store(_ context.Context, key string, value []byte) error {
	if d.failStore != nil {
		return d.failStore
	}
	if err := os.MkdirAll(filepath.Dir(d.file(key)), 0o700); err != nil {
		return err
	}
	return os.WriteFile(d.file(key), value, 0o600)
}

func (d *directory) Load(_ context.Context, key string) ([]byte, error) {
	if d.failLoad != nil {
		return nil, d.failLoad
	}
	return os.ReadFile(d.file(key))
}

func (d *directory) Size(_ context.Context, key string) (int64, error) {
	info, err := os.Stat(d.file(key))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (d *directory) List(_ context.Context, prefix string) (keys []string, err error) {
	err = filepath.WalkDir(d.file(prefix), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			relative, _ := filepath.Rel(d.path, path)
			keys = append(keys, filepath.ToSlash(relative))
		}
		return err
	})
	return keys, err
}

func (d *directory) Delete(_ context.Context, key string) error {
	if err := os.Remove(d.file(key)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// keys returns all keys, without what they have in common.
func (d *directory) keys(t *testing.T) string {
	t.Helper()
	keys, err := d.List(t.Context(), Root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.Join(keys, " "), prefix("city")+"/", "")
}

// gateway is a gateway with one policy, with a clock that the test sets.
type gateway struct {
	t        testing.TB
	storage  Storage
	now      *time.Time
	keeper   *Keeper
	observer *observe.Observer
	enforcer *enforcer.Enforcer
	policy   policy.Policy
}

// start starts a gateway with a policy: its rules are `allow necessary` of some names.
func start(t testing.TB, s Storage, instance string, now *time.Time, names ...string) *gateway {
	t.Helper()
	g := &gateway{t: t, storage: s, now: now, observer: observe.New(*now)}
	g.keeper = NewKeeper("city", g.observer, *now)
	g.keeper.Configure(instance, time.Minute, 395*24*time.Hour)
	g.load(names...)
	return g
}

// load puts a policy in force.
func (g *gateway) load(names ...string) {
	g.t.Helper()
	g.policy = policy.Policy{Name: "city", Allow: []policy.Rule{{Category: policy.Necessary, Cookies: names}}}
	var err error
	if g.enforcer, err = enforcer.Compile(g.policy, func() time.Time { return *g.now }); err != nil {
		g.t.Fatal(err)
	}
	g.enforcer.Observe(g.observer)
	content, err := json.Marshal(g.policy)
	if err != nil {
		g.t.Fatal(err)
	}
	g.keeper.Begin(Policy{g.enforcer.Policy().Digest(), g.enforcer.Policy().Policy().Mode, content}, *g.now)
}

// serve passes a response through the policy.
func (g *gateway) serve(lines ...string) {
	visit := g.enforcer.Visit(enforcer.Request{Header: map[string][]string{"Cookie": {"sent=secret-value"}}})
	visit.FilterRequest()
	visit.CompleteResponse(map[string][]string{"Set-Cookie": lines})
	visit.End()
}

func (g *gateway) read() *Aside {
	g.t.Helper()
	aside, err := g.keeper.Read(g.t.Context(), g.storage, "test", *g.now)
	if err != nil {
		g.t.Fatal(err)
	}
	return aside
}

func (g *gateway) write() *Aside {
	g.t.Helper()
	_, aside, err := g.keeper.Write(g.t.Context(), g.storage, "test", *g.now, false)
	if err != nil {
		g.t.Fatal(err)
	}
	return aside
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// parse reads a time of noon's day or of another: `12:00` or `2026-01-15 12:00`.
func parse(t testing.TB, text string) time.Time {
	t.Helper()
	if !strings.Contains(text, " ") {
		text = "2026-01-15 " + text
	}
	parsed, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// compressed returns text as records are stored.
func compressed(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// text returns the JSON of what is stored under a key.
func (d *directory) text(t testing.TB, key string) string {
	t.Helper()
	stored, err := d.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := decompress(stored)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sortedJSON returns the JSON of an observer's state, with its names in order.
func sortedJSON(t testing.TB, s observe.State) string {
	t.Helper()
	for _, names := range [...]observe.Names{s.Set, s.Read, s.Unlisted, s.Listed} {
		slices.SortFunc(names, func(a, b observe.NameState) int { return cmp.Compare(a.Name, b.Name) })
	}
	return asJSON(t, s)
}
