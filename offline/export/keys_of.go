package export

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"

	"featurestore/api"
	"featurestore/offline/training"
)

// EntityRows are entity rows, from a file or of history, which are closed in the end.
type EntityRows interface {
	array.RecordReader
	Close() error
}

// KeyRows are the entity rows of a query over history, and the query.
type KeyRows struct {
	*training.KeyRows
	asked api.ExportKeysOf
}

// KeysOf begins to read the entity rows that history is asked for: every key of a view,
// at times, and no later than the training set may know of. Some go through temporary
// files below spillDir, "" for the system's. Errors of what is asked are FieldErrors. The
// caller closes the rows.
func (t *Training) KeysOf(ctx context.Context, asked api.ExportKeysOf, spillDir string) (*KeyRows, error) {
	v, ok := t.catalog.View(asked.View)
	if !ok {
		return nil, &FieldError{"keys_of", t.catalog.NoView(asked.View)}
	}
	times, err := timesOf(asked)
	if err != nil {
		return nil, err
	}
	k := training.KeysOf{View: v, EventTime: t.asked.EventTime, Times: times, Existing: asked.Existing, KnownAsOf: t.asked.KnownAsOf}
	rows, err := k.Open(ctx, t.past.in, spillDir)
	if err != nil {
		return nil, err
	}
	return &KeyRows{rows, asked}, nil
}

// timesOf reads the times of a query, which are given in one way.
func timesOf(asked api.ExportKeysOf) (t training.Times, err error) {
	one := func(field, text string) time.Time {
		at, e := parseTime(field, text)
		if err == nil {
			err = e
		}
		return at
	}
	isSeries := asked.Every != "" || asked.From != "" || asked.To != ""
	switch ways := count(len(asked.At) > 0, isSeries, asked.EachWrite); {
	case ways == 0:
		return t, &FieldError{"keys_of", waysOf("the times are missing")}
	case ways > 1:
		return t, &FieldError{"keys_of", waysOf("times are given in more than one way")}
	}
	t.Writes = asked.EachWrite
	for i, text := range asked.At {
		t.At = append(t.At, one(fmt.Sprintf("at[%d]", i), text))
	}
	if !isSeries {
		return t, err
	}
	for _, f := range []struct{ field, value string }{{"every", asked.Every}, {"from", asked.From}, {"to", asked.To}} {
		if f.value == "" {
			return t, &FieldError{f.field, &MissingError{"it is missing: times that are apart need %s, %s and %s", []string{"every", "from", "to"}}}
		}
	}
	t.From, t.To = one("from", asked.From), one("to", asked.To)
	var wrong error
	if t.Every, wrong = time.ParseDuration(asked.Every); wrong != nil || t.Every <= 0 {
		return t, &FieldError{"every", fmt.Errorf("it is %q: write how far apart times are, such as 24h", asked.Every)}
	}
	if err == nil && t.To.Before(t.From) {
		err = &FieldError{"to", &MissingError{fmt.Sprintf("it is %s, before %%s, which is %s", asked.To, asked.From), []string{"from"}}}
	}
	return t, err
}

// waysOf says what is wrong with the times, and how they are given.
func waysOf(wrong string) error {
	return &MissingError{wrong + ": give %s, or %s with %s and %s, or %s", []string{"at", "every", "from", "to", "each_write"}}
}

func count(all ...bool) (n int) {
	for _, is := range all {
		if is {
			n++
		}
	}
	return n
}
