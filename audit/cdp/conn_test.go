package cdp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// script is a browser that a test plays.
type script struct {
	t    *testing.T
	conn *Conn
	in   *bufio.Reader // what the client sends
	out  io.WriteCloser
}

type command struct {
	ID      int64           `json:"id"`
	Session string          `json:"sessionId"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params"`
}

func newScript(t *testing.T, handle func(*Event) error) *script {
	fromBrowser, out := io.Pipe()
	in, toBrowser := io.Pipe()
	s := &script{t: t, in: bufio.NewReader(in), out: out}
	s.conn = NewConn(fromBrowser, toBrowser, handle)
	t.Cleanup(func() {
		out.Close()
		in.Close()
		<-s.conn.Done()
	})
	return s
}

// read returns the next command.
func (s *script) read() (c command) {
	s.t.Helper()
	text, err := s.in.ReadBytes(0)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(text[:len(text)-1], &c); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	return c
}

func (s *script) say(format string, args ...any) {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.out, format+"\x00", args...); err != nil {
		s.t.Fatal(err)
	}
}

// sync returns when the client has received all that was said.
func (s *script) sync() {
	s.t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.conn.Call(s.t.Context(), "", "Test.sync", nil, nil) }()
	c := s.read()
	for c.Method != "Test.sync" {
		c = s.read()
	}
	s.say(`{"id":%d,"result":{}}`, c.ID)
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
}

func TestCall(t *testing.T) {
	s := newScript(t, func(*Event) error { return nil })
	for _, c := range []struct {
		what, answer, want string
		err                string
	}{
		{"a result", `"result":{"a":"x","unknown":[1]}`, "x", ""},
		{"no member", `"result":{}`, "", ""},
		{"an error", `"error":{"code":-32601,"message":"'X' wasn't found"}`, "", "X.y: 'X' wasn't found"},
		{"another type", `"result":{"a":1}`, "", "X.y: the browser's answer: "},
	} {
		var result struct{ A string }
		done := make(chan error, 1)
		go func() { done <- s.conn.Call(t.Context(), "S1", "X.y", map[string]int{"p": 1}, &result) }()
		got := s.read()
		if got.Session != "S1" || got.Method != "X.y" || string(got.Params) != `{"p":1}` {
			t.Errorf("%s: sent %+v", c.what, got)
		}
		s.say(`{"id":%d,"sessionId":"S1",%s}`, got.ID, c.answer)
		err := <-done
		if result.A != c.want || (err == nil) != (c.err == "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%s: got %q, %v", c.what, result.A, err)
		}
	}
	if n := s.conn.Integrity(); n.Refused != 0 || n.Undecoded != 0 {
		t.Errorf("answers with a waiting caller are counted: %+v", n)
	}
}

func TestCallEnds(t *testing.T) {
	s := newScript(t, func(*Event) error { return nil })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- s.conn.Call(ctx, "", "X.never", nil, nil) }()
	late := s.read()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a call whose context ended: %v", err)
	}
	s.say(`{"id":%d,"error":{"message":"too late"}}`, late.ID)
	go func() { done <- s.conn.Call(t.Context(), "", "X.never", nil, nil) }()
	s.read()
	s.out.Close()
	if err := <-done; err == nil || err.Error() != "X.never: the browser has ended" {
		t.Errorf("a call when the browser ends: %v", err)
	}
	if err := s.conn.Send("", "X.more", nil); err == nil {
		t.Error("a command to a browser that has ended is no error")
	}
	if n := s.conn.Integrity(); n.Refused != 0 {
		t.Errorf("an answer that nobody waits for any longer counts as refused: %+v", n)
	}
}

// Nothing is lost silently: what cannot be understood is counted, and what follows is received.
func TestIntegrity(t *testing.T) {
	var got []string
	s := newScript(t, func(e *Event) error {
		var p struct{ Space string }
		if err := e.Decode(&p); err != nil {
			return err
		}
		got = append(got, e.Session+" "+e.Method+" "+p.Space)
		return nil
	})
	s.say(`{"method":"Network.x","params":{"space":"Loopback","new":{"deep":[null]}},"sessionId":"S"}`)
	s.say(`{"method":"Network.y","params":{"space":7}}`)
	s.say(`{"method":`)
	s.say(`{}`)
	s.say(``)
	s.say(`{"method":"Network.x","params":{"space":"%s"}}`, strings.Repeat("x", maxMessage))
	if err := s.conn.Send("S", "Network.enable", nil); err != nil {
		t.Fatal(err)
	}
	s.say(`{"id":%d,"error":{"code":-32601,"message":"no such method"}}`, s.read().ID)
	if err := s.conn.Send("S", "Network.enable", nil); err != nil {
		t.Fatal(err)
	}
	s.say(`{"id":%d,"error":{"code":-32001,"message":"Session with given id not found."}}`, s.read().ID)
	s.say(`{"method":"Network.z","params":{},"sessionId":"S"}`)
	s.sync()
	if want := []string{"S Network.x Loopback", "S Network.z "}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	n := s.conn.Integrity()
	if want := (Integrity{Messages: 10, Undecoded: 4, Oversized: 1, Refused: 1}); n != want {
		t.Errorf("got %+v, want %+v", n, want)
	}
}

// Every target is prepared before it runs, those of targets too, and nothing that a paused target has
// to answer is awaited.
func TestTargets(t *testing.T) {
	var targets *Targets
	var conn *Conn
	targets = NewTargets(func(target Target) []Setup {
		return []Setup{{Method: "Setup." + target.Type}}
	})
	ready := make(chan struct{})
	s := newScript(t, func(e *Event) error {
		<-ready
		_, err := targets.Handle(conn, e)
		return err
	})
	conn = s.conn
	close(ready)
	attach := `{"method":"Target.attachedToTarget","sessionId":"%s","params":{"sessionId":"%s",` +
		`"targetInfo":{"targetId":"%s","type":"%s","url":"https://a.test/","subtype":"new"},"waitingForDebugger":true}}`
	for _, c := range []struct {
		parent, session, id, kind string
		want                      []string
	}{
		{"", "S1", "T1", "page", []string{"Setup.page", "Target.setAutoAttach", "Runtime.runIfWaitingForDebugger"}},
		{"S1", "S2", "T2", "worker", []string{"Setup.worker", "Target.setAutoAttach", "Runtime.runIfWaitingForDebugger"}},
		{"", "S3", "T2", "worker", []string{"Target.setAutoAttach", "Runtime.runIfWaitingForDebugger"}},
	} {
		s.say(attach, c.parent, c.session, c.id, c.kind)
		for _, want := range c.want {
			if got := s.read(); got.Method != want || got.Session != c.session {
				t.Errorf("%s: got %s in %s, want %s in %s", c.kind, got.Method, got.Session, want, c.session)
			}
		}
	}
	if got, known := targets.Session("S3"); !known || got.ID != "T2" || got.URL != "https://a.test/" {
		t.Errorf("session S3 is %+v, %t", got, known)
	}
	if got := targets.SessionOf("T2"); got != "S2" {
		t.Errorf("events of T2 are taken in %q", got)
	}
	if pages := targets.Open("page"); len(pages) != 1 || pages[0].ID != "T1" {
		t.Errorf("the open pages are %+v", pages)
	}
	// The worker lives on in its other session, which takes over.
	s.say(`{"method":"Target.detachedFromTarget","params":{"sessionId":"S2"}}`)
	if got := s.read(); got.Method != "Setup.worker" || got.Session != "S3" || targets.SessionOf("T2") != "S3" {
		t.Errorf("got %s in %s, and events of T2 are taken in %q", got.Method, got.Session, targets.SessionOf("T2"))
	}
	s.say(`{"method":"Target.detachedFromTarget","params":{"sessionId":"S3"}}`)
	s.say(`{"method":"Inspector.targetCrashed","params":{},"sessionId":"S1"}`)
	s.sync()
	if crashed, closed := targets.Lost(); crashed != 1 || closed != 0 || targets.SessionOf("T2") != "" {
		t.Errorf("got %d crashed, %d closed, T2 in %q", crashed, closed, targets.SessionOf("T2"))
	}
	for i := range maxTargets {
		go fmt.Fprintf(s.out, attach+"\x00", "S1", fmt.Sprint("M", i), fmt.Sprint("MT", i), "iframe")
		if got := s.read(); got.Method == "Target.closeTarget" {
			break
		}
		s.read()
		s.read()
	}
	if _, closed := targets.Lost(); closed != 1 {
		t.Errorf("%d targets are closed because there are too many", closed)
	}
}
