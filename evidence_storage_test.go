package cookiepolicy

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/certmagic"
)

func init() { caddy.RegisterModule(new(hookedStorage)) }

// hookedStorage is a storage in a directory, which asks the test before each call: `storage hooked <dir>`.
type hookedStorage struct {
	Root string `json:"root"`
}

// hook is asked before each call of a hookedStorage about a key of evidence.
var hook atomic.Pointer[func(operation, key string) error]

// setHook sets the hook for the time of a test.
func setHook(t *testing.T, f func(operation, key string) error) {
	hook.Store(&f)
	t.Cleanup(func() { hook.Store(nil) })
}

func (*hookedStorage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.hooked", New: func() caddy.Module { return new(hookedStorage) }}
}

func (s *hookedStorage) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&s.Root) {
		return d.ArgErr()
	}
	return nil
}

func (s *hookedStorage) CertMagicStorage() (certmagic.Storage, error) {
	return hookedFiles{&certmagic.FileStorage{Path: s.Root}}, nil
}

type hookedFiles struct{ *certmagic.FileStorage }

func askHook(operation, key string) error {
	if f := hook.Load(); f != nil && strings.HasPrefix(key, "cookie_policy") {
		return (*f)(operation, key)
	}
	return nil
}

func (s hookedFiles) Store(ctx context.Context, key string, value []byte) error {
	if err := askHook("store", key); err != nil {
		return err
	}
	return s.FileStorage.Store(ctx, key, value)
}

func (s hookedFiles) Load(ctx context.Context, key string) ([]byte, error) {
	if err := askHook("load", key); err != nil {
		return nil, err
	}
	return s.FileStorage.Load(ctx, key)
}

func (s hookedFiles) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	if err := askHook("stat", key); err != nil {
		return certmagic.KeyInfo{}, err
	}
	return s.FileStorage.Stat(ctx, key)
}

func (s hookedFiles) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	if err := askHook("list", prefix); err != nil {
		return nil, err
	}
	return s.FileStorage.List(ctx, prefix, recursive)
}

// storedIn returns the JSON of each record in a storage directory, by the policy's part of the key and the
// instance's slot, and the names of all other files of evidence with their contents.
func storedIn(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(filepath.Join(dir, "cookie_policy"), func(path string, entry fs.DirEntry, err error) error {
		// Others are being written, or were when a process was killed.
		if err != nil || !strings.Contains(entry.Name(), ".json.gz") {
			return err
		}
		policy := filepath.Base(filepath.Dir(path))
		policy = policy[:strings.LastIndexByte(policy, '-')]
		name := entry.Name()
		instance, _, _ := strings.Cut(name, ".")
		name = policy + " " + name[strings.LastIndexByte(instance, '-')+1:]
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		if strings.HasSuffix(path, ".json.gz") {
			r, err := gzip.NewReader(file)
			if err != nil {
				found[name] = "torn"
				return nil
			}
			b, err := io.ReadAll(r)
			if found[name] = string(b); err != nil {
				found[name] = "torn"
			}
			return nil
		}
		b, err := io.ReadAll(file)
		found[name] = string(b)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return found
}

// files returns the names of what is stored.
func files(t testing.TB, dir string) string {
	t.Helper()
	var names []string
	for name := range storedIn(t, dir) {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Sprint(names)
}
