package export

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/history"
	"featurestore/offline/pit"
)

// Outline is what is known of an export of a view before it is made.
type Outline struct {
	Schema *arrow.Schema
	// Rows is how many there are, -1 where only making it tells.
	Rows int64
	// Files is how many files have them: into so many parts they can be cut at most.
	Files int
}

// Outline describes an export of a view, of any kind but ExportTraining. Errors are those
// of making it.
func (p *Past) Outline(kind string, r ViewRequest) (Outline, error) {
	e, err := p.view(kind, r, pit.Config{})
	if err != nil {
		return Outline{}, err
	}
	if kind != api.ExportRows {
		return Outline{Schema: ServedSchema(e.view, kind == api.ExportChanges), Rows: -1, Files: 1}, e.checkNames()
	}
	out := Outline{Schema: history.RecordSchema(e.view), Rows: -1, Files: len(e.files())}
	if e.since == nil {
		out.Rows = 0
		for _, f := range e.files() {
			out.Rows += f.Rows
		}
	}
	return out, nil
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

// Schema returns the columns that entity rows must have, in order of their names, and
// then those that the training set adds.
func (t *Training) Schema() (*arrow.Schema, error) {
	var own []arrow.Field
	for name, typ := range t.entityTypes() {
		own = append(own, arrow.Field{Name: name, Type: history.ArrowKeyType(feature.JoinKey{Name: name, Type: typ}), Nullable: true})
	}
	slices.SortFunc(own, func(a, b arrow.Field) int { return strings.Compare(a.Name, b.Name) })
	return t.request.Schema(arrow.NewSchema(own, nil))
}
