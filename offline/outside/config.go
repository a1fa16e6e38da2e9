package outside

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// Config says how files are read. Zero fields mean the default.
type Config struct {
	// Program is the file to run, and Args what it is given, the name that it is called
	// by first. The default is this program, called as this process was, with the
	// argument read-rows.
	Program string
	Args    []string
	// MemoryBytes bounds what a child takes for the file's contents; default
	// DefaultMemoryBytes.
	MemoryBytes int64
	// Silence is how long a child may take between two frames; default
	// DefaultSilence. It is killed then.
	Silence time.Duration
}

// Command is the hidden command of this program that is the child.
const Command = "read-rows"

// Defaults of Config. A row group is read at once, and the largest that
// offline/source takes has 256 MiB before it is unpacked.
const (
	DefaultMemoryBytes = 1 << 30
	DefaultSilence     = 2 * time.Minute
)

// Validate returns every fault of c joined, nil for none.
func (c Config) Validate() error {
	var faults []error
	if c.MemoryBytes < 0 {
		faults = append(faults, fmt.Errorf("MemoryBytes is %d: it must be positive, or zero for the default", c.MemoryBytes))
	}
	if c.Silence < 0 {
		faults = append(faults, fmt.Errorf("Silence is %v: it must be positive, or zero for the default", c.Silence))
	}
	if c.Program == "" && len(c.Args) > 0 {
		faults = append(faults, errors.New("Args are given without Program"))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() (Config, error) {
	if c.MemoryBytes == 0 {
		c.MemoryBytes = DefaultMemoryBytes
	}
	if c.Silence == 0 {
		c.Silence = DefaultSilence
	}
	if c.Program == "" {
		program, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("find this program, to read files with: %w", err)
		}
		c.Program, c.Args = program, []string{os.Args[0], Command}
	}
	return c, nil
}
