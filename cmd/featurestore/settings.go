package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"featurestore/replica"
)

// clientVariables are variables with our prefix that are no settings of a
// store.
var clientVariables = []string{"FEATURESTORE_URL", "FEATURESTORE_PROJECT"}

// registerSettings adds the settings named, all when none is, as flags. What
// they mean and default to is the replica's business: an empty flag is unset.
func registerSettings(cmd *cobra.Command, only ...string) {
	for _, s := range replica.Settings() {
		if len(only) > 0 && !slices.Contains(only, s.Key) {
			continue
		}
		help := s.Help
		if s.Default != "" && !s.Switch {
			help += " (default " + s.Default + ")"
		}
		cmd.Flags().VarPF(&settingFlag{}, s.Flag(), "", help).NoOptDefVal = map[bool]string{true: "true"}[s.Switch]
	}
}

// settingFlag keeps a flag's text for the replica to read.
type settingFlag struct{ text string }

// String returns the text; cobra shows it as the default.
func (f *settingFlag) String() string { return f.text }

// Set keeps the text.
func (f *settingFlag) Set(s string) error {
	f.text = s
	return nil
}

// Type is what help shows for the value.
func (f *settingFlag) Type() string { return "value" }

// givenSettings returns the settings given as flags, by key.
func givenSettings(cmd *cobra.Command) map[string]string {
	given := map[string]string{}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if s, ok := f.Value.(*settingFlag); ok {
			given[strings.ReplaceAll(f.Name, "-", "_")] = s.text
		}
	})
	return given
}

// settingsHelp lists every setting with its names and default.
func settingsHelp() string {
	var b strings.Builder
	for _, s := range replica.Settings() {
		fmt.Fprintf(&b, "  %-17s %s", s.Key, s.Help)
		if s.Default != "" {
			fmt.Fprintf(&b, "; default %s", s.Default)
		}
		b.WriteString("\n")
	}
	return b.String()
}
