package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"featurestore/offline/outside"
)

// newReadRows is the child process of a store that reads batch sources: see package
// outside. People have no use for it.
func newReadRows(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    outside.Command,
		Short:  "Read a file for a store, as its child process",
		Hidden: true,
		Args:   wantArgs(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			const descriptor = 3 // the first of exec.Cmd.ExtraFiles
			file := os.NewFile(descriptor, "file")
			if _, err := file.Stat(); err != nil {
				return errors.New("it is started by a store, which gives it the file to read")
			}
			return outside.Serve(cmd.Context(), a.in, file, a.out)
		},
	}
}
