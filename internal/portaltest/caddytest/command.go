package caddytest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// commandVariable is set in the processes in which a test binary is the command `caddy`.
const commandVariable = "CADDYTEST_COMMAND"

// runCommand is what [Main] does in such a process. It does not return.
func runCommand() {
	os.Args[0] = "caddy"
	caddycmd.Main()
	os.Exit(0) // Main returns where all went well
}

// Command runs the command `caddy` with the gateway compiled in, in a process and a directory of its
// own. It returns what the command prints, the log in JSON, and the exit status.
func Command(t testing.TB, dir string, args ...string) (output string, log []Entry, status int) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	command := exec.CommandContext(t.Context(), executable, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), commandVariable+"=1", "HOME="+home, "XDG_DATA_HOME="+home,
		"XDG_CONFIG_HOME="+home)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	path := filepath.Join(home, "stderr.log")
	var lines []byte
	for line := range bytes.Lines(stderr.Bytes()) {
		if bytes.HasPrefix(line, []byte("{")) { // the rest is for people
			lines = append(lines, line...)
		}
	}
	if err := os.WriteFile(path, lines, 0o600); err != nil {
		t.Fatal(err)
	}
	return stdout.String(), ReadLog(t, path, "", ""), command.ProcessState.ExitCode()
}
