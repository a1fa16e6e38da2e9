package server

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/online"
)

// A lookup is one request for features on its way through: scanned, planned,
// admitted, read, filled, rendered. It keeps its buffers for the next one.
type lookup struct {
	scanned api.ScannedLookup
	plan    *plan
	rows    int
	// keys and requests hold rows x len(plan.keys), rows x len(plan.requests).
	keys     []feature.Value
	requests []feature.Value
	// shards and batch have one element a row and source.
	shards  []feature.Shard
	batch   online.Batch
	targets []consistency.Target
	read    consistency.Read
	// session is what the client's session has seen, this answer included.
	session consistency.Token
	now     int64
	cells   []cell
	// conflicts says that a value has siblings beside it, keepSession that the
	// token names all that was seen, however old: a siblings feature was read.
	conflicts, keepSession bool
	// sampled says that the answer will be logged, beheld then up to where the logs of
	// each shard were when it began to read.
	sampled bool
	beheld  []beheld
	// uncomputed counts, for each of plan.derived, entities it failed for.
	uncomputed []int64
	out        []byte

	key, token                     []byte
	inputs, requestValues, results []feature.Value
}

var lookups = sync.Pool{New: func() any { return new(lookup) }}

// maxKeptCells bounds what a lookup keeps for the next one.
const maxKeptCells = 64 << 10

func (l *lookup) release() {
	if cap(l.cells) > maxKeptCells || cap(l.out) > maxKeptBuffer {
		return
	}
	clear(l.cells) // values alias the batch
	clear(l.beheld)
	l.batch.Reset()
	l.plan = nil
	lookups.Put(l)
}

// lookup serves POST /v1/projects/{project}/lookup.
func (s *Server) lookup(r *request) error {
	catalog, err := s.catalog(r)
	if err != nil {
		return err
	}
	body, err := r.readBody(api.MediaJSON)
	if err != nil {
		return err
	}
	l := lookups.Get().(*lookup)
	defer l.release()
	if err := l.scanned.ScanLookup(body, s.cfg.Limits.Entities); err != nil {
		return err
	}
	if (l.scanned.Service == nil) == (l.scanned.Features == nil) {
		return api.Problemf(api.CodeInvalidRequest, "service", "give either a service or features, not both and not neither")
	}
	if l.plan, err = s.plans.find(catalog, l.scanned.Service, l.scanned.Features, s.cfg.Limits); err != nil {
		return err
	}
	if err := s.bind(l); err != nil {
		return err
	}
	met, done, err := s.run(l, r)
	if done || err != nil {
		return err
	}
	l.renderNative(s, met)
	return s.answerLookup(r, l, met)
}

// run reads what the lookup needs, at the level it asks for, and fills the
// table. It reports true when another store has answered instead.
func (s *Server) run(l *lookup, r *request) (consistency.Met, bool, error) {
	if err := s.readPolicy(l, r); err != nil {
		return consistency.Met{}, false, err
	}
	if err := l.address(); err != nil {
		return consistency.Met{}, false, err
	}
	if err := s.checkFloors(l, r); err != nil {
		return consistency.Met{}, false, err
	}
	// What is met now and read from memory never waits, and needs no context
	// with a deadline.
	met, ok := s.cfg.Coordinator.MeetsNow(&l.read, l.targets)
	if !ok {
		var done bool
		var err error
		if met, done, err = s.admit(l, r); done || err != nil {
			return met, done, err
		}
	}
	if err := s.read(l, r); err != nil {
		return met, false, err
	}
	if s.cfg.Coordinator.StandsNow(&l.read, met, l.targets) {
		return met, false, nil
	}
	met, err := s.cfg.Coordinator.Confirm(r.context(), &l.read, l.targets, met)
	return met, false, err
}

// admit waits until the lookup may be answered here, or has it answered
// elsewhere, which it reports.
func (s *Server) admit(l *lookup, r *request) (consistency.Met, bool, error) {
	if slices.ContainsFunc(l.read.Alternatives, func(a consistency.Alternative) bool { return a.Level >= consistency.Quorum }) {
		l.read.Keys = l.batch.RowKeys()
	}
	met, err := s.cfg.Coordinator.AdmitRead(r.context(), &l.read, l.targets)
	l.read.Keys = nil
	var forward *consistency.ForwardError
	if !errors.As(err, &forward) {
		return met, false, err
	}
	if not := s.redirectRead(r, l, forward); not != nil {
		return met, false, not
	}
	done, tried := s.forwardLookup(r, forward)
	if done {
		return met, true, tried
	}
	met, err = s.cfg.Coordinator.NotForwarded(&l.read, l.targets, forward)
	if err != nil {
		err = fmt.Errorf("%w; %w", err, tried)
	}
	return met, false, err
}

// read fills the table with what is stored here, or with what several stores'
// rows come to.
func (s *Server) read(l *lookup, r *request) error {
	l.batch.MaxBytes = s.cfg.Limits.AnswerBytes
	l.sample(s, r)
	if err := s.readRows(l, r); err != nil {
		return l.tooMuch(err)
	}
	l.now = s.cfg.Now().UnixNano()
	if err := l.fill(r.hasTime); err != nil {
		return err
	}
	if l.valueBytes(s.cfg.Limits.AnswerBytes) > s.cfg.Limits.AnswerBytes {
		return l.tooMuch(online.ErrTooLarge)
	}
	for i, n := range l.uncomputed {
		s.metrics.notComputed(r.Request().Context(), l.plan.derived[i].name, n)
	}
	s.cfg.Coordinator.Anchor(&l.session, &l.read.Token)
	if l.keepSession {
		s.cfg.Coordinator.Stamp(&l.session)
	} else {
		s.cfg.Coordinator.Trim(&l.session)
	}
	return nil
}

func (s *Server) readRows(l *lookup, r *request) error {
	switch {
	case l.read.Joined != nil:
		return l.batch.SetRows(l.read.Joined)
	case s.cfg.Online.ReadHot(&l.batch):
		return nil
	}
	return s.cfg.Online.ReadMissed(r.context(), &l.batch)
}

// valueBytes adds up the text of all values of the answer, at most a little
// beyond a limit: one stored value may stand in it many times.
func (l *lookup) valueBytes(limit int) (n int) {
	width := len(l.plan.defaults)
	for row := 0; row < l.rows && n <= limit; row++ {
		line := l.cells[row*width : (row+1)*width]
		for i := range l.plan.outputs {
			n += len(line[l.plan.outputs[i].slot].value.Text())
		}
	}
	return n
}

// tooMuch says what to do about rows that are too large together.
func (l *lookup) tooMuch(err error) error {
	if !errors.Is(err, online.ErrTooLarge) {
		return err
	}
	return api.Problemf(api.CodeTooManyEntities, "entities",
		"the rows of these %d entities take more than one answer may hold, %d bytes; ask for fewer entities or features at once", l.rows, l.batch.MaxBytes)
}
