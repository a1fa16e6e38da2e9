//go:build !linux

package retail

import "os"

func peakMemory() string { return "its memory is measured on Linux only" }

func peakMemoryOf(*os.ProcessState) string { return "" }
