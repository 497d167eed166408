//go:build unix

package cdp

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup makes the process one of a group of its own, which [killGroup] ends as a whole, and which
// Ctrl-C on the terminal does not reach.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
