// Package cdp speaks the Chrome DevTools Protocol with a browser, over the pipe of
// --remote-debugging-pipe: no port is open, and nothing else on the machine can attach.
//
// It uses the standard library only, and loses nothing silently. Messages are decoded no further than to
// the method, so unknown fields and unknown words in them do no harm; a message that cannot be decoded,
// or that is too large, is counted, and so is a command that the browser refused. The libraries that
// were looked at drop such events, and those of frames and workers that they did not open.
package cdp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// maxMessage is the largest message that is read, in bytes. A larger one is skipped and counted: the
// browser repeats whole data URLs in its events.
const maxMessage = 16 << 20

// Event is what the browser reports.
type Event struct {
	Session string // the session of a target; "" is that of the browser
	Method  string
	Params  json.RawMessage
}

// Decode decodes the parameters into v. Members that v does not have are ignored.
func (e *Event) Decode(v any) error { return json.Unmarshal(e.Params, v) }

// Integrity counts what was lost, or could not be understood.
type Integrity struct {
	Messages  int // received in all
	Undecoded int // messages that are not of the protocol, or events whose handler could not read them
	Oversized int // messages larger than 16 MiB, which were skipped
	Refused   int // commands without a waiting caller that the browser refused
}

// Conn is a connection to a browser. Its methods can be called by any number of goroutines.
type Conn struct {
	handle func(*Event) error
	in     io.Reader

	mu      sync.Mutex
	id      int64
	waiting map[int64]chan<- reply // nil for a command whose answer nobody awaits
	queue   [][]byte               // to be written
	counts  Integrity
	err     error // why the connection ended

	wake  chan struct{} // has room for one: the queue is not empty
	ended chan struct{}
}

type reply struct {
	result json.RawMessage
	err    error
}

// Error is a command that the browser refused.
type Error struct {
	Method  string
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// Error returns the command and the browser's words.
func (e *Error) Error() string { return e.Method + ": " + e.Message }

// NewConn returns a connection that reads from in and writes to out. It calls handle for each event, one
// after the other in the order in which they come; handle must not wait for an answer of the browser. An
// error of handle counts the event as undecoded. The connection ends when in does.
func NewConn(in io.Reader, out io.Writer, handle func(*Event) error) *Conn {
	c := &Conn{
		handle: handle, in: in, waiting: map[int64]chan<- reply{},
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	go c.read()
	go c.write(out)
	return c
}

// Done returns a channel that is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.ended }

// Err returns why the connection ended, or nil while it has not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Integrity returns the counts until now.
func (c *Conn) Integrity() Integrity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// Call sends a command and waits for the answer, which it decodes into result unless that is nil.
func (c *Conn) Call(ctx context.Context, session, method string, params, result any) error {
	answer := make(chan reply, 1)
	id, err := c.enqueue(session, method, params, answer)
	if err != nil {
		return err
	}
	select {
	case r := <-answer:
		if r.err != nil {
			if e := (*Error)(nil); errors.As(r.err, &e) {
				e.Method = method
			}
			return r.err
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(r.result, result); err != nil {
			return fmt.Errorf("%s: the browser's answer: %w", method, err)
		}
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
		return fmt.Errorf("%s: %w", method, ctx.Err())
	case <-c.ended:
		return fmt.Errorf("%s: %w", method, c.Err())
	}
}

// Send sends a command and returns at once. A target that is paused does not answer before it runs, so
// nobody must wait for what is sent to one. An answer that is an error is counted.
func (c *Conn) Send(session, method string, params any) error {
	_, err := c.enqueue(session, method, params, nil)
	return err
}

func (c *Conn) enqueue(session, method string, params any, answer chan<- reply) (id int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, fmt.Errorf("%s: %w", method, c.err)
	}
	c.id++
	message, err := json.Marshal(struct {
		ID      int64  `json:"id"`
		Session string `json:"sessionId,omitempty"`
		Method  string `json:"method"`
		Params  any    `json:"params,omitempty"`
	}{c.id, session, method, params})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", method, err)
	}
	c.waiting[c.id] = answer
	c.queue = append(c.queue, append(message, 0))
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return c.id, nil
}

// write writes what is queued, so that a handler of events never waits for the browser to read.
func (c *Conn) write(out io.Writer) {
	for {
		c.mu.Lock()
		queue := c.queue
		c.queue = nil
		c.mu.Unlock()
		for _, message := range queue {
			if _, err := out.Write(message); err != nil {
				return // reading ends, too, and says why
			}
		}
		select {
		case <-c.wake:
		case <-c.ended:
			return
		}
	}
}

func (c *Conn) read() {
	r := bufio.NewReaderSize(c.in, 1<<16)
	var message []byte
	for {
		var err error
		var tooLarge bool
		message, tooLarge, err = readMessage(r, message[:0])
		if err != nil {
			c.end(err)
			return
		}
		c.count(func(n *Integrity) {
			n.Messages++
			if tooLarge {
				n.Oversized++
			}
		})
		if !tooLarge {
			c.receive(message)
		}
	}
}

// readMessage reads up to a zero byte. Of a message that is too large it keeps nothing.
func readMessage(r *bufio.Reader, message []byte) (_ []byte, tooLarge bool, err error) {
	for {
		part, err := r.ReadSlice(0)
		if tooLarge = tooLarge || len(message)+len(part) > maxMessage; tooLarge {
			message = nil
		} else {
			message = append(message, part...)
		}
		switch {
		case err == nil && tooLarge:
			return nil, true, nil
		case err == nil:
			return message[:len(message)-1], false, nil
		case err != bufio.ErrBufferFull:
			return nil, false, err
		}
	}
}

func (c *Conn) count(change func(*Integrity)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.counts)
}

// end tells all who wait that the connection has ended.
func (c *Conn) end(err error) {
	if err == io.EOF {
		err = errors.New("the browser has ended")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	clear(c.waiting)
	close(c.ended)
}

// receive passes a message on: an answer to who waits for it, an event to the handler.
func (c *Conn) receive(message []byte) {
	var m struct {
		ID      int64           `json:"id"`
		Session string          `json:"sessionId"`
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
		Result  json.RawMessage `json:"result"`
		Error   *Error          `json:"error"`
	}
	err := json.Unmarshal(message, &m)
	switch {
	case err != nil || m.Method == "" && m.ID == 0:
		c.count(func(n *Integrity) { n.Undecoded++ })
	case m.Method != "":
		if err := c.handle(&Event{m.Session, m.Method, m.Params}); err != nil {
			c.count(func(n *Integrity) { n.Undecoded++ })
		}
	default:
		c.answer(m.ID, m.Result, m.Error)
	}
}

func (c *Conn) answer(id int64, result json.RawMessage, refusal *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, known := c.waiting[id]
	delete(c.waiting, id)
	switch {
	case answer == nil && known && refusal != nil && !refusal.isGone():
		c.counts.Refused++
	case answer == nil:
	case refusal != nil:
		answer <- reply{err: refusal}
	default:
		answer <- reply{result: result}
	}
}

// isGone reports whether a command came too late for a target that had ended by itself, which loses
// nothing.
func (e *Error) isGone() bool {
	const sessionNotFound = -32001
	if e.Code == sessionNotFound {
		return true
	}
	for _, words := range []string{
		"closed", "Invalid InterceptionId", "Not attached to an active page", "No target with given id",
		"No dialog is showing",
	} {
		if strings.Contains(e.Message, words) {
			return true
		}
	}
	return false
}
