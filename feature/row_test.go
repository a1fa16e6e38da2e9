package feature

import (
	"testing"

	"pgregory.net/rapid"
)

// F1, on rows as stores reach them and on any rows at all.
func TestJoinRowIsASemilattice(t *testing.T) {
	triples := map[string]func(t *rapid.T) []Row{
		"reachable": reachable,
		"any":       func(t *rapid.T) []Row { return []Row{rows.Draw(t, "a"), rows.Draw(t, "b"), rows.Draw(t, "c")} },
	}
	for name, draw := range triples {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				from := draw(t)
				pick := rapid.SampledFrom(from)
				a, b, c := pick.Draw(t, "first"), pick.Draw(t, "second"), pick.Draw(t, "third")
				before := AppendRow(nil, a)
				ab := JoinRow(a, b)
				for _, law := range []struct {
					name      string
					got, want Row
				}{
					{"commutative", JoinRow(b, a), ab},
					{"associative", JoinRow(ab, c), JoinRow(a, JoinRow(b, c))},
					{"idempotent", JoinRow(a, a), a},
					{"absorbing", JoinRow(ab, b), ab},
					{"empty is neutral", JoinRow(Row{}, a), a},
				} {
					if !law.got.Equal(law.want) {
						t.Errorf("%s: got %+v\nwant %+v\na %+v\nb %+v\nc %+v", law.name, law.got, law.want, a, b, c)
					}
				}
				if string(AppendRow(nil, a)) != string(before) {
					t.Error("JoinRow changed its argument")
				}
			})
		})
	}
}
