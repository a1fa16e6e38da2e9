package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// httpClient sends requests over one connection, one at a time. It does no more
// than the clients of the other systems do: net/http's would hand each request
// through three goroutines, on the processors that are measured.
type httpClient struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
	out     []byte
}

type httpAnswer struct {
	status int
	header map[string]string
	body   []byte
}

// post sends a body; headers are lines with their ends.
func (c *httpClient) post(ctx context.Context, path, headers string, body []byte) (httpAnswer, error) {
	if c.conn == nil {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", c.address)
		if err != nil {
			return httpAnswer{}, err
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	b := append(c.out[:0], "POST "+path+" HTTP/1.1\r\nHost: "+c.address+"\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(len(body)), 10), "\r\n"...)
	b = append(append(append(b, headers...), "\r\n"...), body...)
	c.out = b
	if _, err := c.conn.Write(b); err != nil {
		return httpAnswer{}, err
	}
	return readAnswer(c.in)
}

// readAnswer reads an answer that says how long it is.
func readAnswer(in *bufio.Reader) (a httpAnswer, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return a, err
	}
	if _, err := fmt.Sscanf(line, "HTTP/1.1 %d", &a.status); err != nil {
		return a, fmt.Errorf("answer begins with %q: %w", line, err)
	}
	a.header = map[string]string{}
	for {
		if line, err = in.ReadString('\n'); err != nil {
			return a, err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ": ")
		a.header[name] = value
	}
	n, err := strconv.Atoi(a.header["Content-Length"])
	if err != nil {
		return a, fmt.Errorf("answer has no length: %w", err)
	}
	a.body = make([]byte, n)
	_, err = io.ReadFull(in, a.body)
	return a, err
}

func (c *httpClient) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}
