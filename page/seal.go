package page

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
)

// sealer seals the path of the page that led here for the address of the answer to the form. The address
// is in logs, and the path must not be readable there; and only what this process sealed becomes a link.
type sealer struct{ aead cipher.AEAD }

// newSealer makes a sealer with a key of its own, which ends with it.
func newSealer() sealer {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("page: a key of 32 bytes is one of AES-256: " + err.Error())
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("page: AES is a cipher for GCM: " + err.Error())
	}
	return sealer{aead}
}

// maxSealed is the largest number of bytes of a path that is sealed: the address must not get too long.
const maxSealed = 500

// seal returns a path as it can stand in a query, or "" for one that is too long. It opens for the same
// host only.
func (s sealer) seal(path, host string) string {
	if path == "" || len(path) > maxSealed {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, []byte(path), []byte(host)))
}

// open returns the path that was sealed, or "" for everything else.
func (s sealer) open(token, host string) string {
	if len(token) > 2*maxSealed {
		return ""
	}
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return ""
	}
	path, err := s.aead.Open(nil, nil, sealed, []byte(host))
	if err != nil {
		return ""
	}
	return string(path)
}
