// Package evidence keeps what the policies of a gateway met, over restarts and for a fleet: the state of
// each policy's observer, what was counted on each day, which policy was in force when, and when nothing
// was observed. Names of cookies are kept, never values.
//
// Each policy of each instance has one key in a [Storage], so that no two processes write one key. All
// instances on one storage are a fleet, for which each of them can answer.
//
// The package does not know Caddy, and reads no clock.
package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Storage is where evidence is kept. Keys have parts that are separated by slashes. Load and Size return
// an error that is [fs.ErrNotExist] for a key that does not exist; List may do so for a prefix without
// keys.
type Storage interface {
	Store(ctx context.Context, key string, value []byte) error
	Load(ctx context.Context, key string) ([]byte, error)
	Size(ctx context.Context, key string) (int64, error)
	List(ctx context.Context, prefix string) ([]string, error)
	Delete(ctx context.Context, key string) error
}

// Root is what all keys begin with.
const Root = "cookie_policy"

// maxSize is the largest record that is read or written, in bytes, before it is compressed and after.
const maxSize = 8 << 20

const (
	suffix      = ".json.gz"
	asideSuffix = ".aside" // and a time behind it
)

// prefix returns what the keys of a policy's records begin with. Storages can be file systems that do not
// tell upper case from lower case, and have names of their own that cannot be used, so the policy's name
// has some digits of its digest behind it.
func prefix(policy string) string {
	sum := sha256.Sum256([]byte(policy))
	return Root + "/" + strings.ToLower(policy) + "-" + hex.EncodeToString(sum[:4])
}

// key returns the key of the record of a policy and an instance.
func key(policy, instance string) string { return prefix(policy) + "/" + instance + suffix }

// instanceOf returns the instance to which a key of a record belongs, or "" if it is another key.
func instanceOf(key string) string {
	name, found := strings.CutSuffix(key[strings.LastIndexByte(key, '/')+1:], suffix)
	if !found || len(name) > maxInstance {
		return ""
	}
	return name
}

const maxInstance = 128
