package e2e

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

var firefoxPath = flag.String("firefox", "", "a Firefox to be asked about lifetimes, too")

// firefox is a lifetimeBrowser. It is driven by WebDriver BiDi.
type firefox struct {
	conn        *websocket.Conn
	lastCommand int
	release     string
	tab         string
}

// startFirefox runs a Firefox with a fresh profile until the test ends.
func startFirefox(t *testing.T) *firefox {
	t.Helper()
	const origin = "http://127.0.0.1"
	cmd := exec.Command(*firefoxPath, "--headless", "--no-remote", "--profile", t.TempDir(),
		"--remote-debugging-port=0", "--remote-allow-origins", origin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Firefox has many processes
	printed, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its profile is thrown away
		_ = cmd.Wait()
	})
	address := ""
	for r := bufio.NewReader(printed); address == ""; {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("Firefox ended before it printed its address: %v", err)
		}
		address = regexp.MustCompile(`ws://127\.0\.0\.1:\d+`).FindString(line)
	}
	go io.Copy(io.Discard, printed)

	f := &firefox{}
	if f.conn, err = websocket.Dial(address+"/session", "", origin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.conn.Close() })
	f.conn.MaxPayloadBytes = 64 << 20 // thousands of cookies
	var session struct {
		Capabilities struct {
			BrowserVersion string `json:"browserVersion"`
		} `json:"capabilities"`
	}
	capabilities := map[string]any{"capabilities": map[string]any{}}
	if err := f.do("session.new", capabilities, &session); err != nil {
		t.Fatal(err)
	}
	var tree struct {
		Contexts []struct {
			Context string `json:"context"`
		} `json:"contexts"`
	}
	if err := f.do("browsingContext.getTree", map[string]any{}, &tree); err != nil {
		t.Fatal(err)
	}
	f.release, f.tab = session.Capabilities.BrowserVersion, tree.Contexts[0].Context
	return f
}

// do runs a command and reads its result.
func (f *firefox) do(method string, params map[string]any, result any) error {
	f.lastCommand++
	if err := f.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	command := map[string]any{"id": f.lastCommand, "method": method, "params": params}
	if err := websocket.JSON.Send(f.conn, command); err != nil {
		return err
	}
	for {
		var answer struct {
			ID      int             `json:"id"`
			Type    string          `json:"type"`
			Result  json.RawMessage `json:"result"`
			Message string          `json:"message"`
		}
		if err := websocket.JSON.Receive(f.conn, &answer); err != nil {
			return err
		}
		switch {
		case answer.ID != f.lastCommand: // an event
		case answer.Type != "success":
			return fmt.Errorf("%s in Firefox: %s", method, answer.Message)
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

func (f *firefox) version() (string, error) { return f.release, nil }

func (f *firefox) visit(url string) error {
	params := map[string]any{"context": f.tab, "url": url, "wait": "complete"}
	err := f.do("browsingContext.navigate", params, &struct{}{})
	if err != nil && strings.Contains(err.Error(), "NS_BINDING_ABORTED") {
		return nil // upon 204 it stays on the page where it is
	}
	return err
}

func (f *firefox) cookies() (cookies []lifetimeCookie, err error) {
	var stored struct {
		Cookies []struct {
			Name  string `json:"name"`
			Value struct {
				Value string `json:"value"`
			} `json:"value"`
			Domain string  `json:"domain"`
			Expiry float64 `json:"expiry"` // none for a session cookie
		} `json:"cookies"`
	}
	err = f.do("storage.getCookies", map[string]any{}, &stored)
	for _, c := range stored.Cookies {
		cookies = append(cookies, lifetimeCookie{c.Name, c.Value.Value, c.Domain, c.Expiry})
	}
	return cookies, err
}
