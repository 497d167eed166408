package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/certmagic"
	"github.com/redis/go-redis/v9"
)

func init() { caddy.RegisterModule(new(redisStorage)) }

// redisStorage is the option `storage test_redis <address>`.
type redisStorage struct {
	Address string `json:"address"`

	client *redis.Client
}

// prefix is what all keys in Redis begin with.
const prefix = "caddy/"

// CaddyModule returns the Caddy module information.
func (*redisStorage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.storage.test_redis", New: func() caddy.Module { return new(redisStorage) }}
}

// UnmarshalCaddyfile sets up the storage from Caddyfile tokens.
func (s *redisStorage) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.Args(&s.Address) {
		return d.ArgErr()
	}
	return nil
}

// Provision connects when the first command is sent.
func (s *redisStorage) Provision(caddy.Context) error {
	s.client = redis.NewClient(&redis.Options{Addr: s.Address, MaxRetries: -1})
	return nil
}

// Cleanup closes the connections.
func (s *redisStorage) Cleanup() error { return s.client.Close() }

// CertMagicStorage implements [caddy.StorageConverter].
func (s *redisStorage) CertMagicStorage() (certmagic.Storage, error) { return s, nil }

// Store implements [certmagic.Storage].
func (s *redisStorage) Store(ctx context.Context, key string, value []byte) error {
	return s.client.Set(ctx, prefix+key, value, 0).Err()
}

// Load implements [certmagic.Storage].
func (s *redisStorage) Load(ctx context.Context, key string) ([]byte, error) {
	value, err := s.client.Get(ctx, prefix+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, fs.ErrNotExist
	}
	return value, err
}

// Delete implements [certmagic.Storage].
func (s *redisStorage) Delete(ctx context.Context, key string) error {
	return s.client.Del(ctx, prefix+key).Err()
}

// Exists implements [certmagic.Storage].
func (s *redisStorage) Exists(ctx context.Context, key string) bool {
	n, err := s.client.Exists(ctx, prefix+key).Result()
	return err == nil && n > 0
}

// List implements [certmagic.Storage].
func (s *redisStorage) List(ctx context.Context, under string, _ bool) (keys []string, err error) {
	all := s.client.Scan(ctx, 0, prefix+under+"/*", 100).Iterator()
	for all.Next(ctx) {
		keys = append(keys, strings.TrimPrefix(all.Val(), prefix))
	}
	return keys, all.Err()
}

// Stat implements [certmagic.Storage].
func (s *redisStorage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	size, err := s.client.StrLen(ctx, prefix+key).Result()
	if err != nil {
		return certmagic.KeyInfo{}, err
	}
	if size == 0 {
		return certmagic.KeyInfo{}, fs.ErrNotExist
	}
	return certmagic.KeyInfo{Key: key, Size: size, IsTerminal: true}, nil
}

// Lock implements [certmagic.Storage].
func (s *redisStorage) Lock(ctx context.Context, name string) error {
	for {
		taken, err := s.client.SetNX(ctx, prefix+"locks/"+name, 1, time.Minute).Result()
		if taken || err != nil {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Unlock implements [certmagic.Storage].
func (s *redisStorage) Unlock(ctx context.Context, name string) error {
	return s.client.Del(ctx, prefix+"locks/"+name).Err()
}
