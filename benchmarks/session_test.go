package benchmarks

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/meta"
	"featurestore/online"
	"featurestore/replica"
)

// BenchmarkSessionRead looks up one driver in one of three regions at level
// session, with a token that names a write of each region and is covered there.
// The baseline is the same lookup at level eventual; they take turns.
func BenchmarkSessionRead(b *testing.B) {
	const rows = 100_000
	regions := startRegions(b)
	for from := 0; from < rows; from += 1000 {
		push(b, regions[0], "", from, from+1000)
	}
	token := push(b, regions[0], "", 0, 1)
	for i, r := range regions {
		covered(b, r, token)
		token = push(b, r, token, i, i+1)
	}
	order := loadOrder{
		Kind: "http", Address: regions[1].Addr().String(), Path: "/v1/projects/bench/lookup", Connections: lookupConnections, Keys: rows,
	}
	covered(b, regions[1], token)
	for _, entities := range []int{1, 10} {
		b.Run(fmt.Sprintf("entities=%d", entities), func(b *testing.B) {
			session, eventual := order, order
			session.Entities, eventual.Entities = entities, entities
			session.Headers = api.HeaderConsistency + ": session\r\n" + api.HeaderSession + ": " + token + "\r\n"
			eventual.Headers = api.HeaderConsistency + ": eventual\r\n"
			compare(b, 8000, []side{{"session", session}, {"eventual", eventual}})
		})
	}
}

// BenchmarkReadYourWrites pushes a driver and looks it up with the token of the
// push, in the same region. Such a read waits for nothing; one that did ends the
// benchmark.
func BenchmarkReadYourWrites(b *testing.B) {
	regions := startRegions(b)
	n := 0
	for b.Loop() {
		r := regions[n%len(regions)]
		token := push(b, r, "", n, n+1)
		if waited := lookUpSession(b, r, token, n).Get(api.HeaderWaited); waited != "0" {
			b.Fatalf("a session read in the region of its write waited %s ms", waited)
		}
		n++
	}
}

// BenchmarkAdmitRead is the coordinator's part of a covered session read, beside
// that of an eventual one.
func BenchmarkAdmitRead(b *testing.B) {
	c := startCluster(b, false, "ap", "eu", "us")
	view := c.view(b)
	var token consistency.Token
	var shard feature.Shard
	at := c.stores[1]
	for i, m := range c.stores {
		p, err := m.write(b.Context(), online.Write{Changes: changes(b, view, i, i+1)})
		if err != nil {
			b.Fatal(err)
		}
		token.Note(p.Shard, p.Position)
		shard = p.Shard
		if err := at.store.Wait(b.Context(), p.Shard, vectorOf(p)); err != nil {
			b.Fatal(err)
		}
	}
	coordinator, err := consistency.NewCoordinator(consistency.Config{
		Store: consistency.OwnStore{Log: at.store}, Peers: at.node, Self: meta.Member{Store: "eu-1", Region: "eu", Origin: at.store.Identity().Origin},
		Group: at.store.Registry().Group, Now: func() int64 { return time.Now().UnixNano() },
	})
	if err != nil {
		b.Fatal(err)
	}
	targets := []consistency.Target{{Shard: shard, Placement: view.Group.Placement}}
	for _, level := range []consistency.Level{consistency.Eventual, consistency.Session} {
		b.Run(level.String(), func(b *testing.B) {
			read := consistency.Read{Alternatives: []consistency.Alternative{{Level: level}}, Fallback: consistency.DefaultFallback}
			if level == consistency.Session {
				read.Token = token
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := coordinator.MeetsNow(&read, targets); !ok {
					b.Fatal("a covered read is not met at once")
				}
			}
		})
	}
}

// startRegions serves the bench project in three regions, as production would,
// and waits until each has it.
func startRegions(b *testing.B, groups ...string) []*replica.Replica {
	b.Helper()
	return startCountedRegions(b, new(atomic.Int64), groups...)
}

// startCountedRegions counts what the stores send each other.
func startCountedRegions(b *testing.B, sent *atomic.Int64, groups ...string) []*replica.Replica {
	b.Helper()
	dir := b.TempDir()
	file, secret := filepath.Join(dir, "bench.yaml"), filepath.Join(dir, "secret")
	for path, text := range map[string]string{file: benchDefinitions + strings.Join(groups, ""), secret: "a secret of benchmarks, long enough to be one\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	names := []string{"ap", "eu", "us"}
	listeners := map[string]net.Listener{}
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		listeners[name] = &countingListener{Listener: l, bytes: sent}
	}
	var out []*replica.Replica
	for _, name := range names {
		c := replica.Config{
			Region: name, Store: name + "-1", Data: filepath.Join(dir, name), Listen: "127.0.0.1:0", SecretFile: secret,
			PeerListener: listeners[name], PeerListen: listeners[name].Addr().String(), HeapBytes: -1, Definitions: file,
		}
		for _, other := range names {
			if other != name {
				c.Peers = append(c.Peers, replica.Peer{Region: other, Address: listeners[other].Addr().String()})
			}
		}
		r, err := replica.New(c)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(run(b, r.Run))
		out = append(out, r)
	}
	for _, r := range out {
		<-r.Ready()
	}
	// A push and its lookup everywhere: then every region has the definitions.
	token := ""
	for _, r := range out {
		token = push(b, r, token, 0, 1)
		for _, other := range out {
			covered(b, other, token)
		}
	}
	return out
}

// push pushes drivers over HTTP and returns the session's token.
func push(b *testing.B, r *replica.Replica, token string, from, to int) string {
	b.Helper()
	body := []byte(`{"view":"driver_stats","rows":[`)
	now := time.Now().UTC().Format(time.RFC3339Nano)
	for id := from; id < to; id++ {
		if id > from {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"driver_id":%d,"event_time":%q`, id, now)
		for i, v := range benchRow(id) {
			body = fmt.Appendf(body, `,"%s":%.4f`, featureName(i), v)
		}
		body = append(body, '}')
	}
	return post(b, r, "push", token, append(body, "]}"...)).Get(api.HeaderSession)
}

// lookUpSession looks one driver up at level session, waiting where it must.
func lookUpSession(b *testing.B, r *replica.Replica, token string, id int) http.Header {
	b.Helper()
	return post(b, r, "lookup", token, fmt.Appendf(nil, `{"service":"bench","entities":{"driver_id":[%d]},"consistency":[{"level":"session","within":"5s"}]}`, id))
}

// covered waits until a region has what a token names.
func covered(b *testing.B, r *replica.Replica, token string) {
	b.Helper()
	lookUpSession(b, r, token, 0)
}

// post sends a request until the region knows the bench project, and returns the
// header of the answer.
func post(b *testing.B, r *replica.Replica, operation, token string, body []byte) http.Header {
	b.Helper()
	for {
		q, err := http.NewRequestWithContext(b.Context(), http.MethodPost, r.URL()+"/v1/projects/bench/"+operation, bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		if token != "" {
			q.Header.Set(api.HeaderSession, token)
		}
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(a.Body)
		_ = a.Body.Close()
		switch {
		case err != nil:
			b.Fatal(err)
		case a.StatusCode == http.StatusNotFound:
			continue // the definitions are on their way
		case a.StatusCode != http.StatusOK:
			b.Fatalf("%s at %s: %s %s", operation, r.URL(), a.Status, text)
		}
		return a.Header
	}
}
