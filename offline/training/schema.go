package training

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
	"featurestore/offline/history"
)

// Schema is that of the training set of entity rows with a schema: their columns, with
// fixed-size lists as lists, and then the features.
func (r Request) Schema(entities *arrow.Schema) (*arrow.Schema, error) {
	fields := make([]arrow.Field, 0, entities.NumFields()+len(r.Features))
	for _, f := range entities.Fields() {
		if t, ok := f.Type.(*arrow.FixedSizeListType); ok {
			f.Type = arrow.ListOfField(t.ElemField())
		}
		fields = append(fields, f)
	}
	for _, f := range r.Features {
		t, err := f.typ()
		if err != nil {
			return nil, err
		}
		fields = append(fields, arrow.Field{Name: f.output(), Type: history.ArrowType(t), Nullable: true})
	}
	meta := entities.Metadata()
	return arrow.NewSchema(fields, &meta), nil
}

func (f Feature) typ() (feature.Type, error) {
	if f.OnDemand == nil {
		if field, ok := f.View.Field(f.Name); ok {
			return field.Type, nil
		}
		return feature.Type{}, fmt.Errorf("%w: view %s has no feature %q", ErrRequest, f.View.Name, f.Name)
	}
	for _, c := range f.OnDemand.Fields {
		if c.Name == f.Name {
			return c.Type, nil
		}
	}
	return feature.Type{}, fmt.Errorf("%w: on-demand view %s has no feature %q", ErrRequest, f.OnDemand.Name, f.Name)
}
