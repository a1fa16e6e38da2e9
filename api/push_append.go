package api

import (
	"slices"

	"featurestore/feature"
)

// PushColumn is one column of what is pushed.
type PushColumn struct {
	Name   string
	Values []feature.Value // one a row
	// Absent tells of which rows nothing is said; nil: of none.
	Absent func(row int) bool
}

func (c *PushColumn) absent(row int) bool { return c.Absent != nil && c.Absent(row) }

// AppendPushRows appends some rows as a member of a PushRequest: as columns where every
// row says something about each column, else row by row. A column of which no row says
// anything is left out.
func AppendPushRows(dst []byte, all []PushColumn, rows []int) []byte {
	columns := slices.DeleteFunc(slices.Clone(all), func(c PushColumn) bool {
		return !slices.ContainsFunc(rows, func(row int) bool { return !c.absent(row) })
	})
	if slices.ContainsFunc(columns, func(c PushColumn) bool { return slices.ContainsFunc(rows, c.absent) }) {
		return appendPushRows(append(dst, `"rows":`...), columns, rows)
	}
	return appendPushColumns(append(dst, `"columns":`...), columns, rows)
}

func appendPushColumns(dst []byte, columns []PushColumn, rows []int) []byte {
	dst = append(dst, '{')
	for n, c := range columns {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, c.Name), ':', '[')
		for k, row := range rows {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = AppendValue(dst, c.Values[row])
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendPushRows(dst []byte, columns []PushColumn, rows []int) []byte {
	dst = append(dst, '[')
	for k, row := range rows {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		first := true
		for _, c := range columns {
			if c.absent(row) {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(AppendString(dst, c.Name), ':')
			dst = AppendValue(dst, c.Values[row])
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
