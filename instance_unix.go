//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package cookiepolicy

import (
	"errors"
	"os"
	"syscall"
)

// lockFile locks a file until it is closed or the process ends. It reports false if another process has
// locked it.
func lockFile(file *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, &os.PathError{Op: "lock", Path: file.Name(), Err: err}
		}
	}
}
