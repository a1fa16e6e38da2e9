package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite recorded output")

// TestMain lets scripts and tests run this binary as featurestore itself.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"featurestore": main})
}

// TestScripts runs testdata/*.txtar: each is named for what it claims.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range scripts {
		if text, err := os.ReadFile(path); err != nil || bytes.Contains(text, []byte("\nstop\n")) {
			t.Errorf("%s: stop ends a script before its end, %v; a store ends with end", path, err)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start":  scriptStart,
			"end":    scriptEnd,
			"write":  scriptWrite,
			"await":  scriptAwait,
			"flight": scriptFlight,
			"bucket": scriptBucket,
		},
	})
}

// A process is a running store.
type process struct {
	cmd    *exec.Cmd
	url    string
	output *transcript
	ready  chan struct{} // closed once it answers
	ended  chan error
}

// transcript gathers what a process prints, and can be read meanwhile.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns what was printed so far.
func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

var atFlight = regexp.MustCompile(`grpc://127\.0\.0\.1:\d+`)

var atURL = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// startProcess runs featurestore with args and waits until it is ready.
func startProcess(binary, dir string, environ []string, args ...string) (*process, error) {
	p, err := launchProcess(binary, dir, environ, args...)
	if err != nil {
		return nil, err
	}
	return p, p.await()
}

// launchProcess runs featurestore with args.
func launchProcess(binary, dir string, environ []string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(binary, args...), output: &transcript{}, ready: make(chan struct{}), ended: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr = dir, environ, p.output
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	var once sync.Once
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			_, _ = p.output.Write(append(lines.Bytes(), '\n'))
			if lines.Text() == "ready" {
				once.Do(func() { close(p.ready) })
			}
		}
		p.ended <- p.cmd.Wait()
	}()
	return p, nil
}

// await waits until the process is ready; one that is not is ended.
func (p *process) await() error {
	select {
	case <-p.ready:
		p.url = atURL.FindString(p.output.String())
		return nil
	case err := <-p.ended:
		p.ended <- err
		return errors.Join(errors.New("the store ended before it was ready:\n"+p.output.String()), err)
	case <-time.After(time.Minute):
		return errors.Join(errors.New("the store was not ready within a minute:\n"+p.output.String()), p.cmd.Process.Kill())
	}
}

// stop ends the process in order and returns how it ended.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return <-p.ended
}

// freeAddress is one on loopback that nobody listens at. Stores come back to it
// after they ended, so it is none that the system gives to outgoing connections
// meanwhile.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err == nil {
			_ = l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port from 10000 to 30000")
	return ""
}

// scriptStart is "start ARGS…": it runs featurestore ARGS on a free port and
// sets FEATURESTORE_URL once it is ready; URL2 and so on are those of dev's other
// regions.
func scriptStart(ts *testscript.TestScript, neg bool, args []string) {
	binary, err := exec.LookPath("featurestore")
	ts.Check(err)
	environ := []string{"TMPDIR=" + ts.Getenv("WORK"), "HOME=" + ts.Getenv("WORK"), "PATH=" + ts.Getenv("PATH")}
	environ = append(environ, awsVariables(ts)...)
	p, err := startProcess(binary, ts.MkAbs("."), environ, append(args, "--listen", "127.0.0.1:0")...)
	ts.Check(err)
	ts.Setenv("FEATURESTORE_URL", p.url)
	for i, url := range atURL.FindAllString(p.output.String(), -1) {
		ts.Setenv(fmt.Sprintf("URL%d", i+1), url)
	}
	ts.Setenv("FLIGHT", strings.TrimPrefix(atFlight.FindString(p.output.String()), "grpc://"))
	running := true
	scriptProcesses.Store(ts, func() {
		if running {
			running = false
			if err := p.stop(); err != nil {
				ts.Fatalf("stop: %v\n%s", err, p.output)
			}
			ts.Check(os.WriteFile(ts.MkAbs("store.log"), []byte(p.output.String()), 0o600))
		}
	})
	ts.Defer(func() {
		if running {
			_ = p.stop()
		}
	})
}

// scriptProcesses holds what stops the store of each script.
var scriptProcesses sync.Map

// scriptEnd is "end": it ends the script's store in order; what it printed
// is in store.log. It is not called "stop": that is testscript's own, which ends the
// script.
func scriptEnd(ts *testscript.TestScript, neg bool, args []string) {
	stop, ok := scriptProcesses.Load(ts)
	if !ok {
		ts.Fatalf("no store was started")
	}
	stop.(func())()
}

// scriptWrite is "write FILE TEXT…": it writes the texts as lines.
func scriptWrite(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: write file line...")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(args[1:], "\n")+"\n"), 0o600))
}

// scriptAwait is "await PATTERN COMMAND ARGUMENTS…": it runs the command again
// and again, for a minute at most, until a line of what it prints matches.
func scriptAwait(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await pattern command arguments...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for limit := time.Now().Add(time.Minute); ; {
		_ = ts.Exec(args[1], args[2:]...) // it may fail until then
		out := ts.ReadFile("stdout") + ts.ReadFile("stderr")
		switch {
		case pattern.MatchString(out):
			return
		case time.Now().After(limit):
			ts.Fatalf("nothing matches %q in a minute; last came\n%s", args[0], out)
		}
	}
}
