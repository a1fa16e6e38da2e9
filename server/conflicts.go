package server

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"slices"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/online"
)

// maxLookedAt bounds how many rows one request for conflicts goes through: the
// answer says where to go on.
const maxLookedAt = 50_000

// conflicting gathers the rows of one view that have siblings.
type conflicting struct {
	view    *feature.ResolvedView
	names   map[feature.FeatureID]string // of its siblings features
	limit   int
	room    int // bytes of rows that the answer may still hold
	session consistency.Token
	out     api.ConflictsResponse
}

// conflicts serves POST /v1/projects/{project}/conflicts. It answers with what
// is here, at level session where the request has a token.
func (s *Server) conflicts(r *request) error {
	catalog, err := s.catalog(r)
	if err != nil {
		return err
	}
	body, err := r.readBody(api.MediaJSON)
	if err != nil {
		return err
	}
	var asked api.ConflictsRequest
	if err := api.Decode(body, &asked); err != nil {
		return err
	}
	c, err := s.conflicting(catalog, &asked)
	if err != nil {
		return err
	}
	if asked.Entities != nil {
		err = s.conflictsOf(r, c, asked.Entities)
	} else {
		err = s.conflictsAfter(r, c, asked.After)
	}
	if err != nil {
		return err
	}
	for _, n := range s.cfg.Online.Conflicts() {
		if n.View == c.view.ID {
			c.out.Counts = append(c.out.Counts, api.ConflictCount{
				Rule: n.Rule.String(), Superseded: n.Superseded, Concurrent: n.Concurrent, Dropped: n.Dropped,
			})
		}
	}
	s.cfg.Coordinator.Stamp(&c.session)
	c.out.Session = string(s.cfg.Signer.Append(nil, &c.session))
	h := r.Response().Header()
	h[api.HeaderServedBy] = s.servedBy
	if c.out.Session != "" {
		h.Set(api.HeaderSession, c.out.Session)
	}
	return r.json(http.StatusOK, c.out)
}

func (s *Server) conflicting(catalog *feature.Catalog, asked *api.ConflictsRequest) (*conflicting, error) {
	view, ok := catalog.View(asked.View)
	switch {
	case asked.View == "":
		return nil, api.Problemf(api.CodeInvalidRequest, "view", "name the view whose conflicts to list")
	case !ok:
		return nil, catalog.NoView(asked.View)
	case asked.Limit < 0 || asked.Limit > api.MaxConflictRows:
		return nil, api.Problemf(api.CodeInvalidRequest, "limit", "%d rows; want 1 to %d, or leave it out for %d", asked.Limit, api.MaxConflictRows, api.DefaultConflictRows)
	case asked.Entities != nil && asked.After != "":
		return nil, api.Problemf(api.CodeInvalidRequest, "after", "give either entities or after: entities are answered all at once")
	}
	c := &conflicting{view: view, names: map[feature.FeatureID]string{}, limit: asked.Limit, room: s.cfg.Limits.AnswerBytes}
	if c.limit == 0 {
		c.limit = api.DefaultConflictRows
	}
	for i := range view.Fields {
		if f := &view.Fields[i]; f.Rule == feature.Siblings {
			c.names[f.ID] = f.Name
		}
	}
	c.out = api.ConflictsResponse{View: view.Name, Rows: []api.ConflictRow{}, Counts: []api.ConflictCount{}}
	return c, nil
}

// admitConflicts returns once the store has what the request's session has seen
// of the shards.
func (s *Server) admitConflicts(r *request, c *conflicting, shards []feature.Shard) (*consistency.Token, error) {
	token, err := s.sessionOf(r)
	if err != nil {
		return nil, err
	}
	var targets []consistency.Target
	for _, shard := range shards {
		targets = consistency.Targets(targets, consistency.Target{Shard: shard, Placement: c.view.Group.Placement})
	}
	read := consistency.Read{
		Alternatives: []consistency.Alternative{{Level: consistency.Session}},
		Fallback:     consistency.Fallback{Wait: consistency.DefaultFallback.Wait}, Token: token, Forwarded: true,
	}
	if _, err := s.cfg.Coordinator.AdmitRead(r.context(), &read, targets); err != nil {
		return nil, err
	}
	c.session.Merge(token)
	return &token, nil
}

// conflictsOf looks at the rows of given entities.
func (s *Server) conflictsOf(r *request, c *conflicting, entities map[string][]json.RawMessage) error {
	keys, err := c.keys(entities, s.cfg.Limits.Entities)
	if err != nil {
		return err
	}
	batch := online.Batch{MaxBytes: c.room}
	var shards []feature.Shard
	for _, k := range keys {
		shard := c.view.Shard(k)
		shards = append(shards, shard)
		batch.Add(shard, c.view.ID, k)
	}
	token, err := s.admitConflicts(r, c, shards)
	if err != nil {
		return err
	}
	if err := s.cfg.Online.Read(r.context(), &batch); err != nil {
		return err
	}
	for i, k := range keys {
		if err := c.look(shards[i], k, batch.Row(i)); err != nil {
			return err
		}
	}
	s.cfg.Coordinator.Anchor(&c.session, token)
	return nil
}

// keys reads the columns of join keys.
func (c *conflicting) keys(entities map[string][]json.RawMessage, most int) ([]feature.Key, error) {
	first := entities[c.view.Keys[0].Name]
	if len(entities) != len(c.view.Keys) {
		return nil, api.Problemf(api.CodeInvalidRequest, "entities", "%d columns; %s has %d join keys", len(entities), c.view.Name, len(c.view.Keys))
	}
	if len(first) > most {
		return nil, api.Problemf(api.CodeTooManyEntities, "entities", "%d entities; at most %d at once", len(first), most)
	}
	keys := make([]feature.Key, len(first))
	for _, k := range c.view.Keys {
		column, ok := entities[k.Name]
		if !ok || len(column) != len(keys) {
			return nil, api.Problemf(api.CodeInvalidRequest, "entities."+k.Name,
				"%s needs the join key %s (%v), with as many values as the others", c.view.Name, k.Name, k.Type)
		}
		for i, raw := range column {
			v, err := api.DecodeKey(raw, k.Type)
			if err == nil {
				keys[i], err = feature.AppendKeyValue(keys[i], v)
			}
			if err == nil && len(keys[i]) > feature.MaxKeyBytes {
				err = feature.ErrKeyTooLong
			}
			if err != nil {
				return nil, columnProblem("entities", k.Name, i, err)
			}
		}
	}
	return keys, nil
}

// conflictsAfter goes through the rows of the view from a cursor on, shard by
// shard, until the answer is full or enough was looked at.
func (s *Server) conflictsAfter(r *request, c *conflicting, after string) error {
	partition, key, err := decodeCursor(after)
	if err != nil {
		return err
	}
	group := c.view.Group
	var shards []feature.Shard
	for p := partition; p < max(group.Partitions, 1); p++ {
		shards = append(shards, feature.Shard{Group: group.ID, Partition: p})
	}
	token, err := s.admitConflicts(r, c, shards)
	if err != nil || len(c.names) == 0 {
		return err
	}
	for _, shard := range shards {
		for row, err := range s.cfg.Online.ScanAfter(r.context(), shard, c.view.ID, key) {
			if err != nil {
				return err
			}
			if err := c.look(shard, row.Key, row.Row); err != nil {
				return err
			}
			if len(c.out.Rows) == c.limit || c.room <= 0 || c.out.Looked == maxLookedAt {
				c.out.Next = encodeCursor(shard.Partition, row.Key)
				s.cfg.Coordinator.Anchor(&c.session, token)
				return nil
			}
		}
		key = nil
	}
	s.cfg.Coordinator.Anchor(&c.session, token)
	return nil
}

// look adds a row to the answer if it has siblings.
func (c *conflicting) look(shard feature.Shard, key feature.Key, encoded []byte) error {
	c.out.Looked++
	if encoded == nil {
		return nil
	}
	r, err := feature.ReadRow(encoded)
	if err != nil {
		return err
	}
	for r.Next() {
		if _, ok := c.names[r.Cell.Feature]; !ok {
			continue
		}
		n, err := r.Cell.Conflicts()
		if err != nil {
			return err
		}
		if n > 0 {
			return c.add(shard, key, encoded)
		}
	}
	return r.Err()
}

func (c *conflicting) add(shard feature.Shard, key feature.Key, encoded []byte) error {
	row, err := feature.DecodeRow(encoded)
	if err != nil {
		return err
	}
	values, err := feature.DecodeKey(key)
	if err != nil {
		return err
	}
	out := api.ConflictRow{Entity: map[string]json.RawMessage{}, Features: map[string][]api.Sibling{}}
	for i, k := range c.view.Keys {
		out.Entity[k.Name] = api.AppendValue(nil, values[i])
	}
	note := func(p hlc.Position) { c.session.Note(shard, p) }
	note(row.Tombstone.ByEvent.Position())
	note(row.Tombstone.ByWrite.Position())
	for _, cell := range row.Cells {
		name, ok := c.names[cell.Feature]
		if !ok || cell.Siblings == nil || len(cell.Siblings.Beside) == 0 {
			continue
		}
		for _, x := range cell.AppendSiblings(nil) {
			note(x.Version.Position())
			at := api.AppendTime(nil, x.Version.EventTime)
			out.Features[name] = append(out.Features[name], api.Sibling{
				Value: api.AppendValue(nil, x.Value), EventTime: string(at[1 : len(at)-1]),
				Origin: x.Version.Origin.String(), At: x.Version.At.String(),
			})
		}
	}
	c.room -= len(encoded)
	c.out.Rows = append(c.out.Rows, out)
	return nil
}

// A cursor is a partition and the key of the last row that was looked at in it.
func encodeCursor(partition uint16, key feature.Key) string {
	return base64.RawURLEncoding.EncodeToString(append(binary.BigEndian.AppendUint16(nil, partition), key...))
}

func decodeCursor(text string) (partition uint16, key feature.Key, err error) {
	if text == "" {
		return 0, nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < 3 || len(b) > 2+feature.MaxKeyBytes {
		return 0, nil, api.Problemf(api.CodeInvalidValue, "after", "%q is not the next of an answer", feature.Clip(text))
	}
	return binary.BigEndian.Uint16(b), feature.Key(slices.Clone(b[2:])), nil
}
