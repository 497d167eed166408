//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package cookiepolicy

import (
	"errors"
	"os"
)

// lockFile cannot lock files on this operating system.
func lockFile(file *os.File) (bool, error) {
	return false, &os.PathError{Op: "lock", Path: file.Name(), Err: errors.ErrUnsupported}
}
