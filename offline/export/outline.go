package export

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/history"
	"featurestore/offline/pit"
)

// Outline is what is known of an export before it is made.
type Outline struct {
	// Schema has the columns; of a training set whose entity rows are not there, those
	// that they must have, and then those that are added.
	Schema *arrow.Schema
	// Rows is how many there are, -1 where only making it tells.
	Rows int64
	// Parts is into how many parts the export can be cut at most, 0 for a training set
	// whose entity rows are not there.
	Parts int
}

// Outline describes what Ask makes. Errors are those of Ask.
func (p *Past) Outline(ctx context.Context, project string, r *api.ExportRequest, c pit.Config) (Outline, error) {
	kind, err := kindOfRequest(r)
	if err != nil {
		return Outline{}, err
	}
	if kind == api.ExportTraining {
		return p.outlineTraining(ctx, project, r, c)
	}
	e, err := p.askView(kind, project, r, nil, c)
	if err != nil {
		return Outline{}, err
	}
	if e, ok := e.(*served); ok {
		v := (*viewExport)(e)
		return Outline{Schema: ServedSchema(v.view, kind == api.ExportChanges), Rows: -1, Parts: 1}, v.checkNames()
	}
	v := (*viewExport)(e.(*rows))
	out := Outline{Schema: history.RecordSchema(v.view), Rows: -1, Parts: max(1, len(v.files()))}
	if v.since == nil {
		out.Rows = 0
		for _, f := range v.files() {
			out.Rows += f.Rows
		}
	}
	return out, nil
}

func (p *Past) outlineTraining(ctx context.Context, project string, r *api.ExportRequest, c pit.Config) (out Outline, err error) {
	t, err := p.askTraining(ctx, project, r)
	if err != nil {
		return Outline{}, err
	}
	if r.KeysOf != nil {
		keys, err := t.KeysOf(ctx, *r.KeysOf, c.SpillDir)
		if err != nil {
			return Outline{}, err
		}
		schema, err := t.request.Schema(keys.Schema())
		return Outline{Schema: schema, Rows: -1, Parts: 1}, errors.Join(err, keys.Close())
	}
	if r.EntityRows == nil {
		out.Rows = -1
		out.Schema, err = t.schema()
		return out, err
	}
	rows, err := t.EntityRowsOf(r.EntityRows)
	if err != nil {
		return Outline{}, err
	}
	if err := t.Check(rows.Schema()); err != nil {
		return Outline{}, err
	}
	out.Parts = 1
	for rows.Next() {
		out.Rows += rows.Record().NumRows()
	}
	if err := rows.Err(); err != nil {
		return Outline{}, err
	}
	out.Schema, err = t.request.Schema(rows.Schema())
	return out, err
}

// AskPart is Ask for a part of the rows of a view.
func (p *Past) AskPart(project string, r *api.ExportRequest, part api.ExportPart, c pit.Config) (Export, error) {
	kind, err := kindOfRequest(r)
	if err != nil {
		return nil, err
	}
	if kind == api.ExportTraining {
		return nil, (&ViewRequest{Part: &part}).checkPart(kind)
	}
	return p.askView(kind, project, r, &part, c)
}

// checkPart wants a part of something that has parts.
func (r *ViewRequest) checkPart(kind string) error {
	switch part := r.Part; {
	case part == nil:
		return nil
	case kind != api.ExportRows:
		return &FieldError{"part", fmt.Errorf("it is of rows: a %s has no parts", kind)}
	case part.Of < 1 || part.Number < 0 || part.Number >= part.Of:
		return &FieldError{"part", fmt.Errorf("it is %d of %d: want a number from 0 to one less than of how many", part.Number, part.Of)}
	}
	return nil
}

// partOf returns one part of files, of about one size: all parts in order are all files.
// Where there are more parts than files, some are empty.
func partOf(files []history.DataFile, part *api.ExportPart) []history.DataFile {
	if part == nil {
		return files
	}
	all := int64(0)
	for _, f := range files {
		all += f.SizeBytes
	}
	// A file belongs to the part in which its middle lies.
	before := int64(0)
	return slices.DeleteFunc(slices.Clone(files), func(f history.DataFile) bool {
		middle := before + f.SizeBytes/2
		before += f.SizeBytes
		return all == 0 || int(float64(middle)/float64(all)*float64(part.Of)) != part.Number
	})
}

// ViewName names a view of a project.
type ViewName struct{ Project, View string }

// ViewNames returns the views that keep history, of a project or, for "", of all.
func (p *Past) ViewNames(project string) ([]ViewName, error) {
	projects := p.registry.Projects()
	if project != "" {
		projects = []string{project}
	}
	var out []ViewName
	for _, name := range projects {
		catalog, err := p.Project(name)
		if err != nil {
			return nil, err
		}
		for _, v := range catalog.Views() {
			if v.Offline {
				out = append(out, ViewName{name, v.Name})
			}
		}
	}
	return out, nil
}

// schema has the columns that entity rows must have, in order of their names, and then
// those that the training set adds.
func (t *Training) schema() (*arrow.Schema, error) {
	var own []arrow.Field
	for name, typ := range t.entityTypes() {
		own = append(own, arrow.Field{Name: name, Type: history.ArrowKeyType(feature.JoinKey{Name: name, Type: typ}), Nullable: true})
	}
	slices.SortFunc(own, func(a, b arrow.Field) int { return strings.Compare(a.Name, b.Name) })
	return t.request.Schema(arrow.NewSchema(own, nil))
}
