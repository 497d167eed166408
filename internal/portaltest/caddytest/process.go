package caddytest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Process is a Caddy in a process of its own, which runs the sites of an [Instance].
type Process struct {
	*exec.Cmd
	exited chan struct{}
	output bytes.Buffer
}

// StartProcess runs sites in a process of its own until the test ends, and returns once they are served.
// The data directory can be that of other processes.
func (i *Instance) StartProcess(data, sites string) *Process {
	i.t.Helper()
	config, err := i.Adapt(sites)
	if err != nil {
		i.t.Fatal(err)
	}
	file := filepath.Join(i.Dir, "config.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		i.t.Fatal(err)
	}
	executable, err := os.Executable()
	if err != nil {
		i.t.Fatal(err)
	}
	ready, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		i.t.Fatal(err)
	}
	defer ready.Close()
	p := &Process{exited: make(chan struct{}), Cmd: exec.Command(executable,
		"run", "--config", file, "--pingback", ready.Addr().String())}
	p.Env = append(os.Environ(), commandVariable+"=1", "HOME="+filepath.Join(data, "home"),
		"XDG_DATA_HOME="+data, "XDG_CONFIG_HOME="+data)
	p.Stdin, p.Stdout, p.Stderr = strings.NewReader("serving"), &p.output, &p.output
	if err := p.Start(); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(p.Kill9)
	go func() {
		p.Wait()
		close(p.exited)
		ready.Close()
	}()
	ready.(*net.TCPListener).SetDeadline(time.Now().Add(timeout))
	conn, err := ready.Accept() // Caddy connects once it serves
	if err != nil {
		p.Kill9()
		i.t.Fatalf("the process does not serve: %v\n%s", err, p.Output())
	}
	conn.Close()
	return p
}

// timeout is how long a process is waited for.
const timeout = 30 * time.Second

// Output returns what a process that has ended wrote for people.
func (p *Process) Output() string {
	<-p.exited
	return p.output.String()
}

// Kill9 ends the process as `kill -9` does, and returns when it has ended.
func (p *Process) Kill9() {
	p.Process.Kill()
	<-p.exited
}

// Interrupt asks the process to end, and returns when it has ended.
func (p *Process) Interrupt(t testing.TB) {
	t.Helper()
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(timeout):
		t.Fatal("the process does not end")
	}
}
