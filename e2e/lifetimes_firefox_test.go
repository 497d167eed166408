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

var firefoxPath = flag.String("firefox", "", "path of a Firefox that the tests of lifetimes ask too")

// firefox is a subject. It is driven by WebDriver BiDi.
type firefox struct {
	conn    *websocket.Conn
	running string // its version
	tab     string
	last    int // ID of the last command
}

// startFirefox runs a headless Firefox with a fresh profile until the test ends.
func startFirefox(t *testing.T) *firefox {
	t.Helper()
	const origin = "http://127.0.0.1"
	cmd := exec.Command(*firefoxPath, "--headless", "--no-remote", "--remote-debugging-port=0", "--remote-allow-origins", origin, "--profile", t.TempDir())
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
			t.Fatalf("Firefox ended before it said where it listens: %v", err)
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
	var tree struct {
		Contexts []struct {
			Context string `json:"context"`
		} `json:"contexts"`
	}
	for _, command := range []struct {
		method string
		result any
	}{{"session.new", &session}, {"browsingContext.getTree", &tree}} {
		params := map[string]any{}
		if command.method == "session.new" {
			params["capabilities"] = map[string]any{}
		}
		if err := f.do(command.method, params, command.result); err != nil {
			t.Fatal(err)
		}
	}
	f.running, f.tab = session.Capabilities.BrowserVersion, tree.Contexts[0].Context
	return f
}

// do runs a command and reads its result.
func (f *firefox) do(method string, params map[string]any, result any) error {
	f.last++
	if err := f.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if err := websocket.JSON.Send(f.conn, map[string]any{"id": f.last, "method": method, "params": params}); err != nil {
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
		case answer.ID != f.last: // an event
		case answer.Type != "success":
			return fmt.Errorf("Firefox: %s: %s", method, answer.Message)
		default:
			return json.Unmarshal(answer.Result, result)
		}
	}
}

func (f *firefox) version(*testing.T) string { return f.running }

func (f *firefox) visit(url string) error {
	err := f.do("browsingContext.navigate", map[string]any{"context": f.tab, "url": url, "wait": "complete"}, &struct{}{})
	if err != nil && strings.Contains(err.Error(), "NS_BINDING_ABORTED") { // it stays on the page where it is, upon 204
		return nil
	}
	return err
}

func (f *firefox) cookies() (cookies []lifetimeCookie, err error) {
	var stored struct {
		Cookies []struct {
			Name   string                       `json:"name"`
			Value  struct{ Type, Value string } `json:"value"`
			Domain string                       `json:"domain"`
			Expiry float64                      `json:"expiry"`
		} `json:"cookies"`
	}
	err = f.do("storage.getCookies", map[string]any{}, &stored)
	for _, c := range stored.Cookies {
		cookies = append(cookies, lifetimeCookie{name: c.Name, value: c.Value.Value, host: strings.TrimPrefix(c.Domain, "."), expires: c.Expiry})
	}
	return cookies, err
}
