package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// visitors send the same request to one port, over connections that stay open.
type visitors struct {
	address string
	request []byte
	all     [connections]visitor
}

func newVisitors(port int, l *load) *visitors {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	request := "GET " + l.path + " HTTP/1.1\r\nHost: " + address + "\r\n"
	if l.cookie != "" {
		request += "Cookie: " + l.cookie + "\r\n"
	}
	return &visitors{address: address, request: []byte(request + "\r\n")}
}

// ask sends requests over all connections, one at a time on each, for the duration d. It returns
// how many were answered.
func (v *visitors) ask(ctx context.Context, d time.Duration) (requests int, err error) {
	end := time.Now().Add(d)
	var counts [connections]int
	var errs [connections]error
	var wg sync.WaitGroup
	for i := range v.all {
		wg.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil && errs[i] == nil {
				if errs[i] = v.all[i].ask(v.address, v.request); errs[i] == nil {
					counts[i]++
				}
			}
		})
	}
	wg.Wait()
	for _, n := range counts {
		requests += n
	}
	if err := errors.Join(errs[:]...); err != nil {
		return 0, err
	}
	if requests == 0 {
		return 0, errors.Join(ctx.Err(), errors.New("no request was answered"))
	}
	return requests, nil
}

// leave closes the connections.
func (v *visitors) leave() {
	for i := range v.all {
		v.all[i].leave()
	}
}

// visitor is one connection.
type visitor struct {
	conn     net.Conn // nil if it is not open
	answers  *bufio.Reader
	answered bool // whether a request was answered on this connection
}

// leave closes the connection.
func (v *visitor) leave() {
	if v.conn != nil {
		v.conn.Close()
		v.conn = nil
	}
}

// ask sends one request and reads the answer. If the proxy has closed the connection since the last
// request, ask opens another.
func (v *visitor) ask(address string, request []byte) error {
	if v.conn == nil {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		*v = visitor{conn: conn, answers: bufio.NewReader(conn)}
	}
	err := v.conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err != nil {
		return err
	}
	_, err = v.conn.Write(request)
	if err == nil {
		_, err = v.answers.Peek(1)
	}
	if err != nil {
		again := v.answered
		v.leave()
		if again {
			return v.ask(address, request)
		}
		return err
	}
	v.answered = true
	return v.read()
}

// read reads one answer, and returns an error unless it is a page of the portal's length.
func (v *visitor) read() error {
	status, err := v.answers.ReadSlice('\n')
	if err != nil {
		return err
	}
	if _, code, _ := bytes.Cut(status, []byte(" ")); !bytes.HasPrefix(code, []byte("200")) {
		return fmt.Errorf("got %q", status)
	}
	length, closes := -1, false
	for {
		line, err := v.answers.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		case bytes.EqualFold(name, []byte("Connection")):
			closes = bytes.EqualFold(value, []byte("close"))
		}
	}
	if length != len(body) {
		return fmt.Errorf("got a page of %d bytes, want %d", length, len(body))
	}
	if _, err := io.CopyN(io.Discard, v.answers, int64(length)); err != nil {
		return err
	}
	if closes {
		v.leave()
	}
	return nil
}
