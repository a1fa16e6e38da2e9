package training

import (
	"slices"
	"sort"

	"featurestore/feature"
	"featurestore/offline/history"
)

// sides are the two ways to see one entity at a moment: what was served, and what
// was true. Rows enter each side as time goes on and never leave it.
type sides struct {
	rows    []history.Row // in order of version
	counted counts
	at      int64 // the moment, in nanoseconds since the Unix epoch
	// served and truth are the joins of the rows of each side, both that of the rows
	// that are in the two. Without rows that are early, ever, both is not kept: it is
	// what is served.
	served, truth, both feature.Row
	earlyOnes           bool
	// shows says that the region had any row of the entity.
	shows             bool
	inServed, inTruth []bool // by row
	// early are the rows that are served and not true yet; rising.
	early []int
	// missing are, for each counter and set, the rows of truth that have something of it and
	// were not served when they became true; rising. Those that are by now are taken out when
	// they are met.
	missing map[feature.FeatureID][]int
}

// newSides returns the sides before any time. Rows are all of one entity, in order of
// event time and version, in which they have to become true; they stay the caller's.
// EarlyOnes says that a row may be served before it is true.
func newSides(rows []history.Row, earlyOnes bool) *sides {
	return &sides{
		rows: rows, counted: increments(rows), earlyOnes: earlyOnes, inServed: make([]bool, len(rows)), inTruth: make([]bool, len(rows)),
		missing: map[feature.FeatureID][]int{},
	}
}

// becomeTrue has row i enter what is true.
func (s *sides) becomeTrue(i int) {
	s.inTruth[i] = true
	s.truth = feature.JoinRow(s.truth, s.counted.delta(i, s.rows[i].Delta))
	if s.inServed[i] {
		s.early = without(s.early, i)
		s.join(i)
		return
	}
	for _, c := range s.rows[i].Delta.Cells {
		if c.Rule == feature.Counter || c.Rule == feature.Set {
			s.missing[c.Feature] = append(s.missing[c.Feature], i)
		}
	}
}

// join puts row i into both.
func (s *sides) join(i int) {
	if s.earlyOnes {
		s.both = feature.JoinRow(s.both, s.rows[i].Delta)
	}
}

// due is what would be served without rows that are early.
func (s *sides) due() feature.Row {
	if s.earlyOnes {
		return s.both
	}
	return s.served
}

// becomeServed has row i enter what is served.
func (s *sides) becomeServed(i int) {
	s.inServed[i], s.shows = true, true
	s.served = feature.JoinRow(s.served, s.rows[i].Delta)
	if s.inTruth[i] {
		s.join(i)
	} else {
		s.early = with(s.early, i)
	}
}

func with(sorted []int, i int) []int {
	at, found := slices.BinarySearch(sorted, i)
	if found {
		return sorted
	}
	return slices.Insert(sorted, at, i)
}

func without(sorted []int, i int) []int {
	if at, found := slices.BinarySearch(sorted, i); found {
		return slices.Delete(sorted, at, at+1)
	}
	return sorted
}

// cellOf returns the row's cell of a field; one of another type is none, as where it is
// served.
func cellOf(r feature.Row, f *feature.Field) (feature.Cell, bool) {
	c, ok := r.Cell(f.ID)
	return c, ok && c.Kind == f.Type.Kind && c.Shape == f.Type.Shape
}

// facts gathers what there is to know of a field whose served and true cells differ.
func (s *sides) facts(field *feature.Field) facts {
	had, isHad := cellOf(s.served, field)
	truth, isTrue := cellOf(s.truth, field)
	f := facts{
		sameValue: isHad && isTrue && had.Read().Equal(truth.Read()),
		early:     s.isEarly(field, had, isHad),
	}
	if f.sameValue || f.early {
		return f
	}
	var decider feature.Version
	part := false // of a cell that several writes make up
	switch {
	case !isTrue:
		decider = ruling(s.truth.Tombstone, field.Rule)
	case truth.Rule.Merges() && truth.Rule != feature.Siblings:
		part = true
		if i := s.missingPart(&truth); i >= 0 {
			decider = s.rows[i].Version
		}
	default:
		decider = truth.Version
	}
	if decider.IsZero() || s.hasServed(decider) {
		return f
	}
	f.decided = true
	f.historyOnly = s.isHistoryOnly(decider)
	f.later = decider.At.Millis()*1e6 > s.at
	f.contested = !part && isHad && had.Version.Generation == decider.Generation && had.Version.EventTime >= decider.EventTime
	return f
}

// ruling returns the delete of a tombstone that features of a rule obey.
func ruling(t feature.Tombstone, r feature.Rule) feature.Version {
	if r == feature.EventTime {
		return t.ByEvent
	}
	return t.ByWrite
}

// versioned calls visit with the rows of one version, until it returns false.
func (s *sides) versioned(v feature.Version, visit func(i int) bool) {
	from := sort.Search(len(s.rows), func(i int) bool {
		w := s.rows[i].Version
		return w.EventTime > v.EventTime || w.EventTime == v.EventTime && w.CompareByWrite(v) >= 0
	})
	for i := from; i < len(s.rows) && s.rows[i].Version == v && visit(i); i++ {
	}
}

// hasServed reports whether a write is in what is served, by whatever row of history:
// one that was logged again has several.
func (s *sides) hasServed(v feature.Version) (served bool) {
	s.versioned(v, func(i int) bool {
		served = s.inServed[i]
		return !served
	})
	return served
}

func (s *sides) isHistoryOnly(v feature.Version) bool {
	rows, served := 0, 0
	s.versioned(v, func(i int) bool {
		rows++
		if !s.rows[i].LogOnly {
			served++
		}
		return true
	})
	return rows > 0 && served == 0
}

// isEarly reports whether the region would have had another cell without the rows that
// are early.
func (s *sides) isEarly(field *feature.Field, had feature.Cell, isHad bool) bool {
	if len(s.early) == 0 {
		return false
	}
	due, isDue := cellOf(s.due(), field)
	switch {
	case isHad != isDue:
		return true
	case !isHad:
		return false
	case had.Epoch != due.Epoch:
		return true
	case had.Rule == feature.Counter:
		return s.addsEarly(field.ID, had.Epoch)
	case had.Rule == feature.Set:
		return !had.Read().Equal(due.Read())
	}
	return had.Version != due.Version
}

// addsEarly reports whether early increments come to something. The totals of an origin
// that are due count them too, so it is the increments that are asked.
func (s *sides) addsEarly(id feature.FeatureID, epoch feature.Version) bool {
	var sum feature.Value
	for n, i := range s.early {
		if n > 0 && s.rows[s.early[n-1]].Version == s.rows[i].Version {
			continue // logged again
		}
		if add, ok := s.counted[i][id]; ok && add.epoch == epoch {
			sum = feature.Sum(sum, add.added)
		}
	}
	return !isZero(sum)
}

// missingPart returns the row that decides a counter or a set which is true: of those that
// are missing and changed it, the one of the greatest version; -1 where there is none.
func (s *sides) missingPart(truth *feature.Cell) int {
	adds, has := -1, -1 // the least that adds anything, if only zero, and that has the cell
	due, _ := s.due().Cell(truth.Feature)
	missing := s.missing[truth.Feature]
	for n := len(missing) - 1; n >= 0; n-- {
		i := missing[n]
		if s.inServed[i] {
			missing = slices.Delete(missing, n, n+1)
			s.missing[truth.Feature] = missing
			continue
		}
		c, _ := s.rows[i].Delta.Cell(truth.Feature)
		if c.Epoch != truth.Epoch || s.hasServed(s.rows[i].Version) {
			continue
		}
		if truth.Rule == feature.Counter {
			if add := s.counted[i][truth.Feature]; !isZero(add.added) {
				return i
			}
		} else if changes(&c, truth, &due) {
			return i
		}
		if has = i; len(c.Totals) > 0 {
			adds = i
		}
	}
	if adds >= 0 {
		return adds
	}
	return has
}

// changes reports whether an element of a delta stands in the true set and is there, or
// is gone, otherwise than in what is due.
func changes(delta, truth, due *feature.Cell) bool {
	for _, e := range delta.Elements {
		stands, ok := element(truth, e.Value)
		if !ok || stands.At != e.At || stands.Origin != e.Origin {
			continue
		}
		if before, ok := element(due, e.Value); stands.Present != (ok && before.Present) {
			return true
		}
	}
	return false
}

func element(c *feature.Cell, v feature.Value) (feature.Element, bool) {
	i := slices.IndexFunc(c.Elements, func(e feature.Element) bool { return e.Value.Equal(v) })
	if i < 0 {
		return feature.Element{}, false
	}
	return c.Elements[i], true
}

// isZero reports whether a number, or null, adds nothing.
func isZero(v feature.Value) bool {
	switch v.Kind() {
	case feature.Null:
		return true
	case feature.Decimal:
		return v.Text() == "0"
	case feature.Float64, feature.Float32:
		return v.Float() == 0
	}
	return v.Int() == 0
}
