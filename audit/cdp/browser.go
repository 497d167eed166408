package cdp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Command is a browser to start.
type Command struct {
	Path string
	Args []string // besides those that the pipe and the profile need

	// What the file Default/Preferences of the new profile holds, as JSON.
	Preferences []byte

	// Called for each event, as [NewConn] says.
	Handle func(*Event) error
}

// Browser is a running browser with a profile of its own.
type Browser struct {
	*Conn

	cmd     *exec.Cmd
	profile string
	line    []string
	stderr  *tail
	pipes   []*os.File
	exited  chan struct{}
	stop    func() bool
	close   sync.Once
	err     error // of Close
}

// Start runs a browser with a new profile. [Browser.Close] must end it. When ctx ends, the browser and
// all its processes are killed.
func Start(ctx context.Context, command Command) (_ *Browser, err error) {
	b := &Browser{stderr: new(tail), exited: make(chan struct{})}
	if b.profile, err = newProfile(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(b.profile)
		}
	}()
	dir := filepath.Join(b.profile, "Default")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "Preferences"), command.Preferences, 0o600); err != nil {
		return nil, err
	}
	if err := b.start(command); err != nil {
		return nil, fmt.Errorf("starting the browser: %w", err)
	}
	b.Conn = NewConn(b.pipes[0], b.pipes[1], command.Handle)
	b.stop = context.AfterFunc(ctx, func() { killGroup(b.cmd.Process) })
	go func() {
		_ = b.cmd.Wait() // what it printed says more than its status
		close(b.exited)
	}()
	return b, nil
}

// newProfile makes a directory for a profile. The browser makes a socket in a directory of its own below,
// and the path of a socket has to be short.
func newProfile() (string, error) {
	const (
		prefix  = "audit-"
		longest = 108 - len("/org.chromium.Chromium.XXXXXX/SingletonSocket\x00")
	)
	profile, err := os.MkdirTemp("", prefix)
	if err != nil || len(profile) <= longest {
		return profile, err
	}
	if err := os.Remove(profile); err != nil {
		return "", err
	}
	return os.MkdirTemp("/tmp", prefix)
}

// start runs the process, and makes pipes[0] and pipes[1] those that are read and written.
func (b *Browser) start(command Command) error {
	fromBrowser, itsOutput, err := os.Pipe()
	if err != nil {
		return err
	}
	itsInput, toBrowser, err := os.Pipe()
	if err != nil {
		return errors.Join(err, fromBrowser.Close(), itsOutput.Close())
	}
	b.pipes = []*os.File{fromBrowser, toBrowser}
	b.cmd = exec.Command(command.Path, append([]string{
		"--remote-debugging-pipe", "--user-data-dir=" + b.profile}, command.Args...)...)
	b.cmd.ExtraFiles = []*os.File{itsInput, itsOutput} // file descriptors 3 and 4
	b.cmd.Stderr = b.stderr
	b.cmd.WaitDelay = 5 * time.Second
	// What it writes besides the profile goes with the profile, too.
	b.cmd.Env = os.Environ()
	for _, name := range []string{"HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"} {
		b.cmd.Env = append(b.cmd.Env, name+"="+b.profile)
	}
	ownGroup(b.cmd)
	err = b.cmd.Start()
	_ = itsInput.Close()
	_ = itsOutput.Close()
	if err != nil {
		_ = fromBrowser.Close()
		_ = toBrowser.Close()
	}
	return err
}

// CommandLine returns the command line of the process as it runs, with what wrappers added, or the one
// with which it was started.
func (b *Browser) CommandLine() []string {
	if b.line == nil {
		b.line = b.cmd.Args
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", b.cmd.Process.Pid)); err == nil {
			b.line = strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
		}
	}
	return b.line
}

// LastWords returns the end of what the browser printed.
func (b *Browser) LastWords() string { return b.stderr.String() }

// Close ends the browser with all its processes, and removes the profile. It returns an error if the
// profile could not be removed.
func (b *Browser) Close() error {
	b.close.Do(func() {
		_ = b.Send("", "Browser.close", nil)
		select {
		case <-b.exited:
		case <-time.After(5 * time.Second):
		}
		b.stop()
		killGroup(b.cmd.Process)
		<-b.exited
		for _, pipe := range b.pipes {
			_ = pipe.Close()
		}
		<-b.Done()
		b.err = removeProfile(b.profile)
	})
	return b.err
}

// removeProfile removes a directory in which processes that were just killed may still write.
func removeProfile(dir string) (err error) {
	for range 20 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	const enough = 4096
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-enough):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}
