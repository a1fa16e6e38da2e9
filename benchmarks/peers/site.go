package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a process may take to start, to answer and to stop.
const patience = 30 * time.Second

// site is where a contender lives: its folder, the programs, and the processes
// that it started.
type site struct {
	dir      string
	programs programs
	started  []*process
}

// programs are the paths of what is run.
type programs struct{ redis, mariadb, featurestore string }

// process is a program that a site started.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   string // file of what it says
	ended chan struct{}
}

// folder makes a folder in the site.
func (s *site) folder(name string) (string, error) {
	dir := filepath.Join(s.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// launch starts a program whose output goes to a file beside its data. It ends
// with this program, even if that is killed.
func (s *site) launch(name, path string, args ...string) error {
	log := filepath.Join(s.dir, name+".log")
	out, err := os.Create(log)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }() // the child has it
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, out, out
	// A group of its own: Ctrl-C is for this program, which stops the others.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, log: log, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // what it said is in the log
		close(p.ended)
	}()
	s.started = append(s.started, p)
	return nil
}

// await asks until ready returns nil. It gives up when a process has ended.
func (s *site) await(ctx context.Context, ready func() error) error {
	limit := time.Now().Add(patience)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		for _, p := range s.started {
			select {
			case <-p.ended:
				return fmt.Errorf("%s ended: %w\n%s", p.name, err, p.tail())
			default:
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(limit) {
			return fmt.Errorf("not ready after %v: %w", patience, err)
		}
	}
}

// tail is the end of what a process said.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// stop ends the processes of the site in order, the last started first.
func (s *site) stop() error {
	var errs []error
	for i := len(s.started) - 1; i >= 0; i-- {
		p := s.started[i]
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended
		select {
		case <-p.ended:
		case <-time.After(patience):
			errs = append(errs, fmt.Errorf("%s did not stop within %v and was killed", p.name, patience))
			_ = p.cmd.Process.Kill() // the same
			<-p.ended
		}
	}
	s.started = nil
	return errors.Join(errs...)
}

// pids of the processes that run.
func (s *site) pids() []int {
	var all []int
	for _, p := range s.started {
		all = append(all, p.cmd.Process.Pid)
	}
	return all
}

// freePort is a port of loopback that nobody listens at.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }() // only the number was wanted
	return l.Addr().(*net.TCPAddr).Port, nil
}

// processorTime is what processes have used so far, all threads together.
func processorTime(pids []int) (sum time.Duration) {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on Linux
	for _, pid := range pids {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil {
			continue
		}
		// The name in parentheses may hold spaces; user and system time are the
		// 12th and 13th field after it.
		f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		for _, i := range []int{11, 12} {
			if i < len(f) {
				n, _ := strconv.ParseInt(f[i], 10, 64)
				sum += time.Duration(n) * tick
			}
		}
	}
	return sum
}

// busyTime is what all processors together have not been idle so far.
func busyTime() (sum time.Duration) {
	const tick = 10 * time.Millisecond
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	for i, f := range strings.Fields(line)[1:] {
		const idle, ioWait, guest = 3, 4, 8 // what follows guest is counted in user
		if i == idle || i == ioWait || i >= guest {
			continue
		}
		n, _ := strconv.ParseInt(f, 10, 64)
		sum += time.Duration(n) * tick
	}
	return sum
}
