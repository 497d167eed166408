//go:build unix

package cdp

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A program that stands for a browser: it tells its profile and its child, and ends at nobody's wish.
const stubborn = `#!/bin/sh
trap '' TERM INT
sleep 1000 &
echo "some warning" >&2
printf '{"method":"Test.started","params":{"profile":"%s","child":%d}}\0' "${2#--user-data-dir=}" $! >&4
while :; do sleep 1000; done
`

type started struct {
	Profile string
	Child   int
}

func startStubborn(t *testing.T, ctx context.Context) (*Browser, started) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "browser")
	if err := os.WriteFile(path, []byte(stubborn), 0o700); err != nil {
		t.Fatal(err)
	}
	events := make(chan started, 1)
	b, err := Start(ctx, Command{Path: path, Preferences: []byte(`{"a":1}`), Handle: func(e *Event) error {
		var s started
		err := e.Decode(&s)
		events <- s
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	select {
	case s := <-events:
		return b, s
	case <-time.After(30 * time.Second):
		t.Fatalf("the program says nothing but %q", b.LastWords())
		return nil, started{}
	}
}

// No process and no profile is left, also of a browser that does not end when it is asked to.
func TestBrowser(t *testing.T) {
	for _, how := range []string{"Close", "context"} {
		t.Run(how, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			b, s := startStubborn(t, ctx)
			seed, err := os.ReadFile(filepath.Join(s.Profile, "Default", "Preferences"))
			if err != nil || string(seed) != `{"a":1}` {
				t.Errorf("the profile begins with %q, %v", seed, err)
			}
			if line := strings.Join(b.CommandLine(), " "); !strings.Contains(line, "--remote-debugging-pipe") {
				t.Errorf("the command line is %q", line)
			}
			if how == "context" {
				cancel()
				<-b.Done()
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			if b.LastWords() != "some warning" {
				t.Errorf("the last words are %q", b.LastWords())
			}
			if _, err := os.Stat(s.Profile); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the profile is left behind: %v", err)
			}
			if err := waitGone(s.Child); err != nil {
				t.Errorf("a child of the browser is left behind: %v", err)
			}
		})
	}
}

// waitGone returns when a process has ended, whether or not somebody has fetched its status.
func waitGone(pid int) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-tick.C {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil && syscall.Kill(pid, 0) != nil || strings.Contains(string(stat), ") Z ") {
			return nil
		}
	}
	return errors.New("it still runs")
}

func TestStartFails(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	if _, err := Start(t.Context(), Command{Path: filepath.Join(temp, "none")}); err == nil {
		t.Error("a browser that does not exist starts")
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
