package outside

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// printPriorities is a child that has some threads before it is limited.
func printPriorities() {
	const threads = 6
	var there sync.WaitGroup
	there.Add(threads)
	for range threads {
		go func() {
			runtime.LockOSThread()
			there.Done()
			select {}
		}()
	}
	there.Wait()
	if err := limitProcess(1 << 30); err != nil {
		panic(err)
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		panic(err)
	}
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			panic(err)
		}
		p, err := syscall.Getpriority(syscall.PRIO_PROCESS, id)
		if err != nil {
			panic(err)
		}
		fmt.Println(20 - p) // the system call has it so
	}
}

// Every thread of the child stands back, not the one alone that asked for it.
func TestEveryThreadStandsBack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("priorities are of threads on Linux alone")
	}
	out, err := exec.CommandContext(t.Context(), os.Args[0], "priorities").Output()
	if err != nil {
		t.Fatal(err)
	}
	nices := strings.Fields(string(out))
	if len(nices) < 6 {
		t.Fatalf("there are %d threads: the test has become too simple", len(nices))
	}
	for _, n := range nices {
		if have, err := strconv.Atoi(n); err != nil || have < niceness {
			t.Errorf("the threads' niceness is %v, want %d", nices, niceness)
			break
		}
	}
}
