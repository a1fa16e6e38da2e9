package regions

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "featurestore/replica" // what it runs, so that results are not kept when that changes
)

// Output that README.md leads one to expect, by what a command contains; a
// command that is in no entry must only succeed. Each entry must be met.
var wanted = []struct {
	command string
	want    string // in the output
	fails   bool
}{
	{"members", `(?s)ap-1 \(home\) +active.*eu-1 +active.*us-1 +active`, false},
	{"apply definitions", "applied: revision 1", false},
	{"--write-concern all --session-file", "write concern all met: 3 stores in ap, eu, us", false},
	{"8082 --service", `(?s)1001 +0\.52 +3 .*read level session, served by ap/ap-1`, false},
	{"lag --all", "(?m)^us/us-1 +us/us-1 ", false},
	{"verify-replicas", `us-1 +\d{4}-\S+ +0`, false},
	{"--again --session-file", "write concern region_quorum met: 1 store in eu", false},
	{"8082 --features", `(?s)1001 +6\n.*served by ap/ap-1`, false},
	{"lag", `eu/eu-1 +us/us-1 .* away`, false},
	{"--again --write-concern all", "CONCERN_TIMEOUT", true},
	{"bounded", "TOO_STALE", true},
	{"8081 --features", `(?s)1001 +9\n.*served by us/us-1`, false},
}

// TestReadmeCanBeTyped runs the commands of README.md in order, with free ports
// in the place of those that it names.
func TestReadmeCanBeTyped(t *testing.T) {
	s := newShell(t)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for _, command := range commandsOf(string(readme)) {
		switch {
		case strings.HasPrefix(command, "# stop "):
			s.stop(strings.TrimPrefix(command, "# stop "))
		case strings.HasPrefix(command, "#"):
			t.Errorf("%s: no test knows what to do", command)
		case strings.HasPrefix(command, "go build -o featurestore "):
			build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(s.dir, "featurestore"), strings.Fields(command)[4])
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%s: %s%v", command, out, err)
			}
		case strings.Contains(command, " serve "):
			s.serve(command)
		default:
			s.awaitReady()
			begun := time.Now()
			out, err := s.run(command)
			t.Logf("%6.2fs  %s", time.Since(begun).Seconds(), command)
			if next == len(wanted) || !strings.Contains(command, wanted[next].command) {
				if err != nil {
					t.Fatalf("%s: %v\n%s", command, err, out)
				}
				continue
			}
			w := wanted[next]
			next++
			if (err != nil) != w.fails || !regexp.MustCompile(w.want).MatchString(out) {
				t.Errorf("%s\nends with %v and prints\n%s\nwant %q, failing: %v", command, err, out, w.want, w.fails)
			}
		}
	}
	if next < len(wanted) {
		t.Errorf("README.md has no command %q, or not where it was", wanted[next].command)
	}
}

// commandsOf returns the lines of the shell blocks, without remarks at their end.
func commandsOf(page string) (all []string) {
	inside := false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside && line != "":
			command, _, _ := strings.Cut(line, "  #")
			all = append(all, strings.TrimSpace(command))
		}
	}
	return all
}

// shell is a copy of this folder with ports of its own, and the stores in it.
type shell struct {
	t       *testing.T
	dir     string
	ports   *strings.Replacer
	stores  map[string]*store
	waiting []*store
}

type store struct {
	name  string
	cmd   *exec.Cmd
	ready chan struct{}
	ended chan error
	log   *os.File
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{t: t, dir: t.TempDir(), stores: map[string]*store{}}
	var ports []string
	for _, port := range []string{"8080", "8081", "8082", "9080", "9081", "9082"} {
		l := listenFree(t)
		defer l.Close() // after all were taken, so that they differ
		ports = append(ports, "127.0.0.1:"+port, l.Addr().String())
	}
	s.ports = strings.NewReplacer(ports...)
	for _, name := range []string{"eu.yaml", "us.yaml", "ap.yaml", "drivers.csv", "definitions/rides.yaml"} {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.MkdirAll(filepath.Join(s.dir, filepath.Dir(name)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(s.dir, name), []byte(s.ports.Replace(string(text))), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for name := range s.stores {
			s.stop(name)
		}
	})
	return s
}

// listenFree listens at a port that the system gives to nobody: stores take it over,
// and come back to it after they ended.
func listenFree(t *testing.T) net.Listener {
	t.Helper()
	for range 100 {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))); err == nil {
			return l
		}
	}
	t.Fatal("no free port from 10000 to 30000")
	return nil
}

// run types one command.
func (s *shell) run(command string) (string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	sh := exec.CommandContext(ctx, "sh", "-c", s.ports.Replace(command))
	sh.Dir, sh.Env = s.dir, append(os.Environ(), "FEATURESTORE_URL="+s.ports.Replace("http://127.0.0.1:8080"))
	out, err := sh.CombinedOutput()
	return string(out), err
}

// serve starts a store: "./featurestore serve --config eu.yaml".
func (s *shell) serve(command string) {
	s.t.Helper()
	words := strings.Fields(command)
	x := &store{name: strings.TrimSuffix(words[3], ".yaml"), ready: make(chan struct{}), ended: make(chan error, 1)}
	x.cmd = exec.Command(filepath.Join(s.dir, "featurestore"), words[1:]...)
	x.cmd.Dir = s.dir
	var err error
	if x.log, err = os.Create(filepath.Join(s.dir, x.name+".log")); err != nil {
		s.t.Fatal(err)
	}
	x.cmd.Stderr = x.log
	out, err := x.cmd.StdoutPipe()
	if err == nil {
		err = x.cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == "ready" {
				close(x.ready)
			}
		}
		x.ended <- x.cmd.Wait()
	}()
	s.stores[x.name] = x
	s.waiting = append(s.waiting, x)
}

// awaitReady waits for the stores that were started.
func (s *shell) awaitReady() {
	s.t.Helper()
	for _, x := range s.waiting {
		select {
		case <-x.ready:
		case err := <-x.ended:
			delete(s.stores, x.name)
			s.t.Fatalf("store %s ended before it was ready: %v\n%s", x.name, err, x.said())
		case <-time.After(time.Minute):
			s.t.Fatalf("store %s was not ready within a minute:\n%s", x.name, x.said())
		}
	}
	s.waiting = nil
}

// stop ends a store as Ctrl-C does.
func (s *shell) stop(name string) {
	s.t.Helper()
	x := s.stores[name]
	if x == nil {
		s.t.Fatalf("there is no store %s to stop", name)
	}
	delete(s.stores, name)
	err := x.cmd.Process.Signal(syscall.SIGINT)
	if err = errors.Join(err, <-x.ended); err != nil {
		s.t.Errorf("stop %s: %v\n%s", name, err, x.said())
	}
	x.log.Close()
}

func (x *store) said() string {
	text, err := os.ReadFile(x.log.Name())
	return fmt.Sprint(string(text), err)
}
