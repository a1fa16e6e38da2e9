package retail

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// peakMemory says how much memory this process had at most.
func peakMemory() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return "at most " + strings.TrimSpace(rest) + " resident"
		}
	}
	return "the system does not say how much memory it took"
}

// peakMemoryOf says the same of a program that has ended.
func peakMemoryOf(p *os.ProcessState) string {
	if usage, ok := p.SysUsage().(*syscall.Rusage); ok {
		return fmt.Sprintf("; at most %d kB resident", usage.Maxrss)
	}
	return ""
}
