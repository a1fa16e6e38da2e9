package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(a *app) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Tell what was built",
		Example: "  featurestore version --output json",
		Args:    wantArgs(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			b := readBuild()
			if out.json() {
				return out.print(a.out, b)
			}
			_, err := fmt.Fprintf(a.out, "featurestore %s (%s) %s %s/%s\n", b["version"], b["commit"], b["go"], b["os"], b["arch"])
			return err
		},
	}
	cmd.Long = "Version prints the version of the module, the commit it was built from, and the\nGo that built it."
	out.register(cmd)
	return cmd
}

// readBuild returns what the Go tool wrote into the binary.
func readBuild() map[string]any {
	b := map[string]any{"version": "unknown", "commit": "unknown commit", "modified": false, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b["version"] = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b["commit"] = s.Value
		case "vcs.time":
			b["time"] = s.Value
		case "vcs.modified":
			b["modified"] = s.Value == "true"
		}
	}
	return b
}
