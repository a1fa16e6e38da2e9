package main

import (
	"featurestore/api"
	"featurestore/offline/training"
)

// differencesTable prints how what a region had differs from what was true; nothing of
// none.
func differencesTable(all []api.ExportedDifference) string {
	if len(all) == 0 {
		return ""
	}
	header := []any{"feature", "cells", "differing"}
	for _, c := range training.Causes() {
		header = append(header, c.String())
	}
	t := newTable(header...)
	for _, d := range all {
		row := []any{d.Column, d.Cells, d.Differing}
		for _, c := range training.Causes() {
			row = append(row, d.Causes[c.String()])
		}
		t.AppendRow(row)
	}
	return "\n" + render(t)
}
