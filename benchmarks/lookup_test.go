package benchmarks

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/labstack/echo/v4"
)

const (
	lookupRows        = 1_000_000
	lookupConnections = 8
)

// BenchmarkLookup asks for ten features of 1, 10 and 100 of a million drivers,
// uniformly drawn, over eight keep-alive connections in a closed loop from a
// second process. Beside the store stand an Echo handler that reads the request
// and returns the same bytes, header and body, from memory, and a plain Go
// client that reads the same rows from Redis as hashes; they take turns.
func BenchmarkLookup(b *testing.B) {
	address := startReplica(b, lookupRows, 512<<20, true)
	redisAddress := startRedis(b)
	for _, entities := range []int{1, 10, 100} {
		order := loadOrder{
			Kind: "http", Address: address, Path: "/v1/projects/bench/lookup",
			Connections: lookupConnections, Entities: entities, Keys: lookupRows,
		}
		b.Run(fmt.Sprintf("entities=%d", entities), func(b *testing.B) {
			echoed, direct := order, order
			echoed.Address = startEcho(b, ask(b, "http://"+address+order.Path, someLookup(entities)))
			sides := []side{{"featurestore", order}, {"echo", echoed}}
			if redisAddress != "" {
				direct.Kind, direct.Address = "redis", redisAddress
				sides = append(sides, side{"redis", direct})
			} else {
				b.Log("without Redis: apt-get install redis-server")
			}
			compare(b, 8000/(1+entities/4), sides)
		})
	}
}

func someLookup(entities int) []byte {
	b := []byte(`{"service":"bench","entities":{"driver_id":[`)
	for i := range entities {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(i*7919), 10)
	}
	return append(b, "]}}"...)
}

// startEcho serves the answer to every request, having read its body.
func startEcho(b *testing.B, given answer) (address string) {
	b.Helper()
	e := echo.New()
	e.POST("/v1/projects/:project/lookup", func(c echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return err
		}
		h := c.Response().Header()
		for name, values := range given.header {
			h[name] = values
		}
		return c.Blob(http.StatusOK, "application/json", given.body)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: e}
	go func() { _ = s.Serve(listener) }()
	b.Cleanup(func() { _ = s.Close() })
	return listener.Addr().String()
}
