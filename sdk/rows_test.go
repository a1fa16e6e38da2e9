package sdk

import (
	"reflect"
	"testing"

	"featurestore/feature"
)

// orderOf returns what decides the lane of a raw row.
func orderOf(t *testing.T, b *pushBinding, text string) string {
	t.Helper()
	row := RawRow(text)
	encoded, err := b.append(nil, pointerTo(&row))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return string(b.appendOrder(nil, encoded))
}

// K7.
func TestRowsOfOneEntityStayInOrderHoweverSpelled(t *testing.T) {
	b, err := schemaFor(t, everythingDefinitions()).bindPush(rawRowType, View("v"))
	if err != nil {
		t.Fatal(err)
	}
	one := orderOf(t, b, `{"id": 1, "city": "Köln", "bool": true}`)
	for _, same := range []string{`{"city":"Köln","id":1}`, `{"bool": true, "city": "K\u00f6ln", "id": 1}`} {
		if got := orderOf(t, b, same); got != one {
			t.Errorf("%s: got %q, want that of the same entity, %q", same, got, one)
		}
	}
	for _, other := range []string{`{"id": 2, "city": "Köln"}`, `{"id": 1, "city": "Bonn"}`, `{"city": "Köln"}`, `{"id": null, "city": "Köln"}`} {
		if got := orderOf(t, b, other); got == one {
			t.Errorf("%s: got %q, that of another entity", other, got)
		}
	}
	for _, broken := range []string{`{"id": 1`, `[1]`, `{"id": 1} {}`, ``} {
		row := RawRow(broken)
		if _, err := b.append(nil, pointerTo(&row)); err == nil {
			t.Errorf("%q, which is no object, is taken", broken)
		}
	}
}

// K7.
func TestViewsOfOneSourceAreOrderedByTheKeysTheyShare(t *testing.T) {
	key := func(name string) feature.Entity {
		return feature.Entity{Name: name, JoinKeys: []feature.JoinKey{{Name: name, Type: feature.ScalarOf(feature.String)}}}
	}
	view := func(name, source string, entities ...string) feature.View {
		return feature.View{Name: name, Entities: entities, PushSource: source, Online: true,
			Fields: []feature.Field{{Name: name, Type: feature.ScalarOf(feature.Int64)}}}
	}
	s := schemaFor(t, feature.Definitions{
		Project: "p", Entities: []feature.Entity{key("customer"), key("item")},
		Views: []feature.View{
			view("a", "apart", "customer"), view("b", "apart", "item"), view("c", "apart", "customer", "item"),
			view("d", "together", "item", "customer"), view("e", "together", "item"),
		},
	})
	for source, want := range map[string][]string{"apart": nil, "together": {"item"}} {
		b, err := s.bindPush(rawRowType, PushSource(source))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range b.shared {
			got = append(got, k.Name)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: ordered by %v, want %v", source, got, want)
		}
	}
}

func TestAbsentKeysAreNotPushed(t *testing.T) {
	type row struct {
		ID   *int64 `key:"id"`
		City string `key:"city,omitzero"`
		Bool bool   `feature:"v:bool"`
	}
	type optional struct {
		ID   Optional[int64] `key:"id"`
		City []byte          `feature:"v:bytes"`
		Name string          `key:"city"`
	}
	s, id := schemaFor(t, everythingDefinitions()), int64(7)
	plain, err := s.bindPush(reflect.TypeFor[row](), View("v"))
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := s.bindPush(reflect.TypeFor[optional](), View("v"))
	if err != nil {
		t.Fatal(err)
	}
	for want, encode := range map[string]func() ([]byte, error){
		`{"city":"Bonn","id":7,"bool":false}`: func() ([]byte, error) { return plain.append(nil, pointerTo(&row{ID: &id, City: "Bonn"})) },
		`{"bool":false}`:                      func() ([]byte, error) { return plain.append(nil, pointerTo(&row{})) },
		`{"city":"","id":7}`:                  func() ([]byte, error) { return wrapped.append(nil, pointerTo(&optional{ID: Some(id)})) },
		`{"city":"Bonn","id":null}`: func() ([]byte, error) {
			return wrapped.append(nil, pointerTo(&optional{ID: NullOf[int64](), Name: "Bonn"}))
		},
	} {
		if got, err := encode(); err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}
