package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"featurestore/api"
)

// Conflicts says which rows of a view to look for siblings in. All of them,
// without Entities: the answer's Next, as After, goes on.
type Conflicts struct {
	View     string
	Entities Entities
	// Limit is how many rows to answer with; 0 is 100.
	Limit int
	After string
}

// Conflicts returns rows with features of which more than one value is kept,
// with all their values, as the store that is asked has them. The session of ctx
// has seen them then: a push in it replaces them.
func (c *Client) Conflicts(ctx context.Context, q Conflicts) (api.ConflictsResponse, error) {
	asked := api.ConflictsRequest{View: q.View, Limit: q.Limit, After: q.After}
	body, err := json.Marshal(asked)
	if err == nil && q.Entities != nil {
		var columns []column
		var n int
		if columns, n, err = q.Entities.columns(); err == nil {
			body, err = appendColumns(append(body[:len(body)-1], `,"entities":`...), columns, 0, n)
			body = append(body, '}')
		}
	}
	if err != nil {
		return api.ConflictsResponse{}, fmt.Errorf("conflicts: entities: %w", err)
	}
	a, err := c.do(ctx, &request{op: "conflicts", method: http.MethodPost, path: c.path("conflicts"), body: body, read: true})
	if err != nil {
		return api.ConflictsResponse{}, err
	}
	defer a.free()
	return decodeAs[api.ConflictsResponse](a)
}

// Conflicts returns how many values are kept beside the one that was read of a
// feature under the rule siblings; Client.Conflicts tells which. Feature is
// view:feature.
func (r *Result[T]) Conflicts(row int, feature string) int {
	i := slices.Index(r.Features, feature)
	if i < 0 || r.conflicts == nil {
		return 0
	}
	part := r.conflicts[row/r.partRows]
	if part == nil {
		return 0
	}
	return part[row%r.partRows*len(r.Features)+i]
}

// readConflicts reads the numbers of one row. Most answers have none, and then
// there is no space for them.
func (p *partial) readConflicts(s *api.Scanner, row int) error {
	width := len(p.binding.features)
	if *p.conflicts == nil {
		*p.conflicts = make([]int, p.rows*width)
	}
	out := (*p.conflicts)[row*width : (row+1)*width]
	open, i := s.Array(), 0
	for ; open && s.Element(i == 0); i++ {
		if i == len(out) {
			return countError("conflicts", i+1, len(out))
		}
		if err := json.Unmarshal(s.Raw(), &out[i]); err != nil {
			return fmt.Errorf("%w: conflicts[%d]: %w", ErrBadAnswer, i, err)
		}
	}
	return countError("conflicts", i, len(out), s)
}
