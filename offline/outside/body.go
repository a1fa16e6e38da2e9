package outside

import (
	"slices"

	"featurestore/api"
)

// appendBody appends the rows as a member of a push: by column where every row says
// something about each column, else row by row.
func appendBody(dst []byte, all []part, rows []int) []byte {
	parts := slices.DeleteFunc(slices.Clone(all), func(p part) bool {
		return !slices.ContainsFunc(rows, func(i int) bool { return !p.absent(i) })
	})
	if slices.ContainsFunc(parts, func(p part) bool { return slices.ContainsFunc(rows, p.absent) }) {
		return appendRows(append(dst, `"rows":`...), parts, rows)
	}
	return appendColumns(append(dst, `"columns":`...), parts, rows)
}

func appendColumns(dst []byte, parts []part, rows []int) []byte {
	dst = append(dst, '{')
	for n, p := range parts {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(api.AppendString(dst, p.name), ':', '[')
		for k, i := range rows {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = api.AppendValue(dst, p.in.Values[i])
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendRows(dst []byte, parts []part, rows []int) []byte {
	dst = append(dst, '[')
	for k, i := range rows {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		first := true
		for _, p := range parts {
			if p.absent(i) {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(api.AppendString(dst, p.name), ':')
			dst = api.AppendValue(dst, p.in.Values[i])
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
