package cookiepolicy

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

// lockFile locks a file until it is closed or the process ends. It reports false if another process has
// locked it.
func lockFile(file *os.File) (bool, error) {
	const (
		failImmediately = 1
		exclusive       = 2
		errorLockFailed = syscall.Errno(33) // ERROR_LOCK_VIOLATION
	)
	var overlapped syscall.Overlapped
	ok, _, err := lockFileEx.Call(file.Fd(), failImmediately|exclusive, 0, 1, 0, uintptr(unsafe.Pointer(&overlapped)))
	switch {
	case ok != 0:
		return true, nil
	case errors.Is(err, errorLockFailed) || errors.Is(err, syscall.ERROR_IO_PENDING):
		return false, nil
	}
	return false, &os.PathError{Op: "lock", Path: file.Name(), Err: err}
}
