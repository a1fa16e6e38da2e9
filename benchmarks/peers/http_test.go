package main

import (
	"bufio"
	"strings"
	"testing"
)

func TestAnswersAreReadToTheirEnd(t *testing.T) {
	in := bufio.NewReader(strings.NewReader(
		"HTTP/1.1 200 OK\r\nFeaturestore-Session: abc\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"))
	a, err := readAnswer(in)
	if err != nil || a.status != 200 || a.header[sessionHeader] != "abc" || string(a.body) != "{}" {
		t.Errorf("first answer: got %v, %v", a, err)
	}
	if a, err = readAnswer(in); err != nil || a.status != 504 || len(a.body) != 0 {
		t.Errorf("second answer: got %v, %v", a, err)
	}
	if a, err = readAnswer(in); err == nil {
		t.Errorf("an answer without a length: got %v, want an error", a)
	}
}
