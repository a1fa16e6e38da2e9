package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"featurestore/feature"
)

// wantArgs takes from least to most arguments, any number when most is
// negative. Its errors say what they are: "the file to push, such as x.csv".
func wantArgs(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return mistake(cmd, "an argument is missing: give "+what)
		case most == 0 && len(args) > 0:
			return mistake(cmd, fmt.Sprintf("%q is too much: it takes flags only", args[0]))
		case most > 0 && len(args) > most:
			return mistake(cmd, fmt.Sprintf("%q is too much: give only %s", args[most], what))
		}
		return nil
	}
}

// wantSubcommand is for a command that has others and takes no argument itself.
func wantSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return mistake(cmd, fmt.Sprintf("%s has no command %q: use %s", cmd.Name(), args[0], strings.Join(names, ", ")))
}

// wantCommand is for the root: an argument there is a command that is not.
func wantCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if near := feature.Nearest(args[0], names); near != "" {
		return fmt.Errorf("there is no command %q; did you mean %s?", args[0], near)
	}
	return mistake(cmd, fmt.Sprintf("there is no command %q", args[0]))
}

// wantFlags refuses the command unless one of the flags is given, and no two of
// them. what says how it is given: "--view VIEW, the view to push into".
func wantFlags(cmd *cobra.Command, what string, names ...string) {
	// Cobra looks after PreRunE, in words of its own, and completes by it.
	if len(names) == 1 {
		_ = cmd.MarkFlagRequired(names[0])
	} else {
		cmd.MarkFlagsOneRequired(names...)
		cmd.MarkFlagsMutuallyExclusive(names...)
	}
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		var given []string
		for _, name := range names {
			if cmd.Flags().Changed(name) {
				given = append(given, "--"+name)
			}
		}
		switch {
		case len(given) == 0:
			return mistake(cmd, "give "+what)
		case len(given) > 1:
			return mistake(cmd, strings.Join(given, " and ")+" are given together: one is right")
		case before != nil:
			return before(cmd, args)
		}
		return nil
	}
}

// mistake says what is wrong with a command line, and where to read on.
func mistake(cmd *cobra.Command, what string) error {
	return errors.New(what + "; see " + cmd.CommandPath() + " --help")
}
