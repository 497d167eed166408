package cookiepolicy

import (
	"context"
	"fmt"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

// longestCall is how long a call of the storage is waited for.
const longestCall = 5 * time.Second

// caddyStorage is Caddy's storage as evidence needs it.
type caddyStorage struct{ certmagic.Storage }

// newStorage returns a storage whose calls return after some time.
func newStorage(s certmagic.Storage) evidence.Storage {
	return evidence.Bounded(caddyStorage{s}, longestCall)
}

// Size returns the number of bytes of a value. Some storages do not know it and return 0.
func (s caddyStorage) Size(ctx context.Context, key string) (int64, error) {
	info, err := s.Stat(ctx, key)
	return info.Size, err
}

// List returns all keys under a prefix.
func (s caddyStorage) List(ctx context.Context, prefix string) ([]string, error) {
	return s.Storage.List(ctx, prefix, true)
}

// storageName tells storages of one process apart.
func storageName(s certmagic.Storage) string {
	if named, ok := s.(fmt.Stringer); ok {
		return named.String()
	}
	return fmt.Sprintf("%T %p", s, s)
}
