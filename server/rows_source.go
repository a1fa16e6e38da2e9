package server

import (
	"encoding/json"
	"fmt"

	"featurestore/api"
)

// pushRows are the rows of a native push.
type pushRows struct{ push *api.ScannedPush }

func (p pushRows) len() int { return p.push.Rows() }

func (p pushRows) row(i int, visit func(string, json.RawMessage) bool) {
	for _, c := range p.push.Row(i) {
		if !visit(c.Name, c.Value) {
			return
		}
	}
}

// columns are rows given by column, all of one length.
type columns struct {
	names  []string
	values [][][]byte
	n      int
}

// newColumns checks that all columns have one length. It names every column
// that has another length than most.
func newColumns(given []api.Column) (*columns, error) {
	c := &columns{}
	lengths := map[int]int{}
	for _, col := range given {
		c.names = append(c.names, string(col.Name))
		c.values = append(c.values, col.Values)
		n := len(col.Values)
		lengths[n]++
		if lengths[n] > lengths[c.n] || lengths[n] == lengths[c.n] && n > c.n {
			c.n = n
		}
	}
	var faults rowFaults
	for i, values := range c.values {
		if len(values) != c.n {
			faults.add(min(len(values), c.n), c.names[i], "the column has %s, the others have %d; all columns have one length", countOf(len(values)), c.n)
		}
	}
	if err := faults.problem(); err != nil {
		return nil, err
	}
	return c, nil
}

func countOf(n int) string {
	if n == 1 {
		return "1 value"
	}
	return fmt.Sprintf("%d values", n)
}

func (c *columns) len() int { return c.n }

func (c *columns) row(i int, visit func(string, json.RawMessage) bool) {
	for k, name := range c.names {
		if !visit(name, c.values[k][i]) {
			return
		}
	}
}
