package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// output is the form that results are printed in.
type output struct{ form string }

func (o *output) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.form, "output", "o", "table", "form of the results: table or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if o.form != "table" && o.form != "json" {
			return fmt.Errorf("--output is %q: use table or json", o.form)
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

func (o *output) json() bool { return o.form == "json" }

// print writes v as one line of JSON.
func (o *output) print(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// newTable returns a table without borders, which text tools can cut.
func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = 0
	t.SetStyle(style)
	t.AppendHeader(table.Row(header))
	return t
}

// render draws a table without the spaces that pad its last column.
func render(t table.Writer) string {
	var b strings.Builder
	for line := range strings.Lines(t.Render()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

// terminal reports whether w is one.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// titled begins each line that is written to it with the command's title. A
// write is a line.
type titled struct {
	w     io.Writer
	title string
}

// Write implements io.Writer.
func (t titled) Write(line []byte) (int, error) {
	if _, err := t.w.Write(append([]byte(t.title), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}
