package definition_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"featurestore/feature"
	"featurestore/feature/definition"

	"pgregory.net/rapid"
)

// storedRegistry has two projects, dropped features and a dropped view.
func storedRegistry(t testing.TB) *feature.Registry {
	t.Helper()
	r := feature.NewRegistry()
	apply := func(d feature.Definitions) {
		t.Helper()
		next, _, err := r.Apply(d, nil)
		if err != nil {
			t.Fatal(err)
		}
		r = next
	}
	d := everyField()
	apply(d)
	d.Services, d.Views[0].Fields = nil, d.Views[0].Fields[:8]
	d.Views = d.Views[:1]
	apply(d)
	small, err := parse(entitiesFile + viewNamed("trips"))
	if err != nil {
		t.Fatal(err)
	}
	small.Project = "small"
	apply(small)
	return r
}

func encoded(t testing.TB, r *feature.Registry) []byte {
	t.Helper()
	b, err := definition.EncodeRegistry(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEncodeRegistryKeepsItsForm(t *testing.T) {
	r := storedRegistry(t)
	b := encoded(t, r)
	golden(t, "registry.yaml", b)
	back, err := definition.DecodeRegistry(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.State(), r.State()) {
		t.Errorf("got %+v\nwant %+v", back.State(), r.State())
	}
}

func TestDecodeRegistryGoesOnWhereTheRegistryWas(t *testing.T) {
	back, err := definition.DecodeRegistry(encoded(t, storedRegistry(t)))
	if err != nil {
		t.Fatal(err)
	}
	next, _, err := back.Apply(everyField(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := next.Catalog("rides")
	v, _ := c.View("driver_stats")
	if f, _ := v.Field("extra"); f.ID != 10 {
		t.Errorf("the re-added feature got id %d, want 10: 9 was given before", f.ID)
	}
	if w, _ := c.View("driver_city"); w.ID != 4 {
		t.Errorf("the re-added view got id %d, want 4: 2 and 3 were given before", w.ID)
	}
}

func TestDecodeRegistryRefusesWhatNoRegistryIs(t *testing.T) {
	good := string(encoded(t, storedRegistry(t)))
	for _, c := range []struct{ claim, old, new, want string }{
		{"another format", "registry_format: 1", "registry_format: 2", "registry format 2, this version reads 1"},
		{"no format", "registry_format: 1\n", "", "a registry begins with registry_format"},
		{"an unknown key", "last_view", "last_views", `unknown key "last_views"`},
		{"a view id of another", "- name: trips\n          id: 3", "- name: trips\n          id: 1", "view trips: ids of features"},
		{"a view id never given", "last_view: 3", "last_view: 2", "view trips has id 3, last is 2"},
		{"a group id given twice", "implicit_group: 3", "implicit_group: 2", "has id 2"},
		{"a feature id never given", "{name: trips, id: 1, type: int64}", "{name: trips, id: 7, type: int64}", "feature trips:trips has id 7, last is 1"},
		{"a feature id twice", "{name: conv_rate, id: 1,", "{name: conv_rate, id: 2,", "ids of features"},
		{"a lost counter", "last_features: [{view: 3, feature: 1}]", "last_features: []", "0 last features for 1 views"},
		{"an invalid definition", "entity: driver", "entity: nobody", `no entity "nobody" is declared`},
		{"a wrong revision", "revision: 3\n", "revision: 9\n", "revision 9 of the store"},
		{"cut off", good[len(good)/2:], "", ""},
	} {
		_, err := definition.DecodeRegistry([]byte(strings.Replace(good, c.old, c.new, 1)))
		if !errors.Is(err, feature.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q and ErrCorrupt", c.claim, err, c.want)
		}
	}
	if _, err := definition.DecodeRegistry(nil); !errors.Is(err, feature.ErrCorrupt) {
		t.Errorf("nothing: got %v, want ErrCorrupt", err)
	}
}

// genValid draws small definitions that are valid by themselves.
var genValid = rapid.Custom(func(t *rapid.T) feature.Definitions {
	d := feature.Definitions{
		Project:  rapid.SampledFrom([]string{"p", "q"}).Draw(t, "project"),
		Entities: []feature.Entity{{Name: "e", JoinKeys: []feature.JoinKey{{Name: "k", Type: feature.ScalarOf(feature.Int64)}}}},
	}
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"u", "v", "w"}), 0, 3, rapid.ID[string]).Draw(t, "views") {
		v := feature.View{Name: name, Entities: []string{"e"}, Description: genText.Draw(t, "description"), Online: true}
		for _, f := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID[string]).Draw(t, "fields") {
			field := feature.Field{Name: f, Type: feature.ScalarOf(feature.Int64)}
			if from := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "from"); from != f {
				field.RenamedFrom = from
			}
			v.Fields = append(v.Fields, field)
		}
		d.Views = append(d.Views, v)
	}
	return d
})

func TestDecodeRegistryReadsWhatEncodeWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := feature.NewRegistry()
		for range rapid.IntRange(0, 20).Draw(t, "applies") {
			next, _, err := r.Apply(genValid.Draw(t, "definitions"), nil)
			if err != nil {
				continue
			}
			r = next
		}
		b, err := definition.EncodeRegistry(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := definition.DecodeRegistry(b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if !reflect.DeepEqual(back.State(), r.State()) {
			t.Fatalf("got %+v\nwant %+v", back.State(), r.State())
		}
	})
}

func FuzzDecodeRegistry(f *testing.F) {
	f.Add(encoded(f, storedRegistry(f)))
	f.Add(encoded(f, feature.NewRegistry()))
	f.Add([]byte("registry_format: 1\nrevision: 1\nprojects: [{revision: 1, definitions: {project: p}}]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := definition.DecodeRegistry(b)
		if err != nil {
			return
		}
		again := encoded(t, r)
		back, err := definition.DecodeRegistry(again)
		if err != nil {
			t.Fatalf("decode what was encoded: %v\n%s", err, again)
		}
		if third := encoded(t, back); !bytes.Equal(again, third) {
			t.Fatalf("got %s\nwant %s", third, again)
		}
	})
}

func BenchmarkRegistry(b *testing.B) {
	for _, views := range []int{10, 1000} {
		d := feature.Definitions{
			Project:  "p",
			Entities: []feature.Entity{{Name: "e", JoinKeys: []feature.JoinKey{{Name: "k", Type: feature.ScalarOf(feature.Int64)}}}},
		}
		for i := range views {
			v := feature.View{Name: fmt.Sprintf("view_%d", i), Entities: []string{"e"}, Online: true, Offline: true}
			for j := range 20 {
				v.Fields = append(v.Fields, feature.Field{Name: fmt.Sprintf("feature_%d", j), Type: feature.ScalarOf(feature.Float64)})
			}
			d.Views = append(d.Views, v)
		}
		r, _, err := feature.NewRegistry().Apply(d, nil)
		if err != nil {
			b.Fatal(err)
		}
		text := encoded(b, r)
		b.Run(fmt.Sprintf("decode/views=%d", views), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := definition.DecodeRegistry(text); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("plan/views=%d", views), func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Plan(d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestARegistryKeepsTheHomeThatNumberedIt(t *testing.T) {
	r := storedRegistry(t).In(feature.Line{Epoch: 3, Home: "us-1"})
	b := encoded(t, r)
	if want := "\nline: {epoch: 3, home: us-1, began: 3}\n"; !strings.Contains(string(b), want) {
		t.Errorf("got %s, want %q in it", b, want)
	}
	back, err := definition.DecodeRegistry(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.State(), r.State()) {
		t.Errorf("read back as %+v, want %+v", back.State(), r.State())
	}
}
