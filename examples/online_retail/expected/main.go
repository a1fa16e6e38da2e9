package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

func main() {
	months := flag.Int("months", 0, "only the first `N` calendar months; 0 is all")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: expected [-months N] [FILE]   FILE: $ONLINE_RETAIL, else ../shared/data/online_retail.csv.gz")
		flag.PrintDefaults()
	}
	flag.Parse()
	path := cmp.Or(flag.Arg(0), os.Getenv("ONLINE_RETAIL"), "../shared/data/online_retail.csv.gz")
	if err := run(path, *months); err != nil {
		fmt.Fprintln(os.Stderr, "expected:", err)
		os.Exit(1)
	}
}

func run(path string, months int) error {
	lines, err := readLines(path, months)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(map[string]any{"lines": len(lines), "lookups": answers(lines)})
}
