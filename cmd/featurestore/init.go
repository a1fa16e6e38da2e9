package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"featurestore/replica"
)

//go:embed template/drivers.csv
var sampleRows []byte

func newInit(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Write a project to begin with",
		Long: `Init writes a project into a folder, the current one by default:

  definitions/rides.yaml   entities, views and a service, with comments
  store.yaml               settings of one store, each with its default
  drivers.csv              three generated rows to push

It overwrites nothing: when one of the files is there, none is written.`,
		Example: `  featurestore init rides && cd rides
  featurestore serve --config store.yaml`,
		Args: wantArgs(0, 1, "a folder to write to"),
		RunE: func(_ *cobra.Command, args []string) error {
			folder := "."
			if len(args) == 1 {
				folder = args[0]
			}
			return writeProject(a, folder)
		},
	}
	return cmd
}

func writeProject(a *app, folder string) error {
	files := []struct {
		name string
		text []byte
	}{
		{"definitions/rides.yaml", sampleDefinitions},
		{"store.yaml", storeSettings()},
		{"drivers.csv", sampleRows},
	}
	var errs []error
	for _, f := range files {
		path := filepath.Join(folder, filepath.FromSlash(f.name))
		if _, err := os.Lstat(path); err == nil {
			errs = append(errs, fmt.Errorf("%s is there already; choose another folder", path))
		} else if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(folder, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.text, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(a.out, path)
	}
	_, err := fmt.Fprint(a.out, nextSteps(folder))
	return err
}

func nextSteps(folder string) string {
	at := func(name string) string { return filepath.Join(folder, name) }
	return fmt.Sprintf(`
Run the store, and in another terminal push and look up:
  featurestore serve --config %s
  featurestore push --view driver_stats %s
  featurestore get --service driver_v1 driver_id=1001,1002 demand=1.5,2
`, at("store.yaml"), at("drivers.csv"))
}

// storeSettings writes every setting with its help, those with a default
// commented out.
func storeSettings() []byte {
	given := map[string]string{"region": "eu", "store": "eu-1", "data": "./data", "definitions": "./definitions", "history": "true"}
	var b strings.Builder
	b.WriteString("# Settings of one store: featurestore serve --config store.yaml\n")
	b.WriteString("# Paths are relative to this file. The environment (FEATURESTORE_LISTEN) and\n# flags (--listen) win over what stands here.\n")
	for _, s := range replica.Settings() {
		fmt.Fprintf(&b, "\n# %s\n", s.Help)
		if value, ok := given[s.Key]; ok {
			fmt.Fprintf(&b, "%s: %s\n", s.Key, value)
		} else {
			fmt.Fprintf(&b, "# %s\n", strings.TrimSpace(s.Key+": "+s.Default))
		}
	}
	return []byte(b.String())
}
