package history

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"featurestore/feature"
)

// Erased says what an erasure did.
type Erased struct {
	// Rows were taken out, of Files.
	Rows, Files int
	// Pending are files that still hold some of the rows, because a reader of this
	// process has them; they go with Collect once it has let go.
	Pending int
}

// Erase takes the rows of entity keys out of views, deletes included, and
// removes the files that held them, and all others that count no more, at once,
// whatever Config.Keep says: readers in other processes may find them gone
// (ErrNotExist). It knows what is committed:
// who erases an entity deletes it in the store first, and waits until Progress
// covers that delete, for what the log still brings comes in later. After an error
// some of it may be done; doing it again is safe, and reads no file again that was
// found without the keys, while no more than a few other sets of keys were asked for.
func (u *Upkeep) Erase(ctx context.Context, views []feature.ViewID, keys ...feature.Key) (Erased, error) {
	var done Erased
	if err := u.begin(ctx); err != nil {
		return done, err
	}
	defer u.end()
	h := u.cfg.History
	erased := newKeySet(keys)
	places := viewsOf(u.cfg.Registry())
	r := h.Reader()
	files := slices.DeleteFunc(r.state.files(), func(f DataFile) bool { return !slices.Contains(views, f.View) })
	r.Close() // nobody else takes files away until end
	clean := u.cleanOf(erased)
	for _, f := range files {
		if clean[f.Name] {
			continue
		}
		has, err := u.holds(ctx, f, erased)
		if err != nil {
			return done, err
		}
		if !has {
			clean[f.Name] = true
			continue
		}
		rows := 0
		left, err := u.rewrite(ctx, []DataFile{f}, places[f.View], func(r *Row) bool {
			if !erased.has(r.Key) {
				return false
			}
			rows++
			return true
		})
		if err != nil {
			return done, fmt.Errorf("erase entities from %s: %w", f.Name, err)
		}
		for _, f := range left {
			clean[f.Name] = true
		}
		done.Rows, done.Files = done.Rows+rows, done.Files+1
	}
	// What compaction took away before may hold the entities as well.
	var err error
	done.Pending, err = u.collect(ctx, func(Removal) bool { return true })
	return done, err
}

// Count returns how many rows of entity keys are left in views, and in how many files,
// those included that count no more and are still there.
func (u *Upkeep) Count(ctx context.Context, views []feature.ViewID, keys ...feature.Key) (left Erased, err error) {
	if err := u.begin(ctx); err != nil {
		return left, err
	}
	defer u.end()
	wanted := newKeySet(keys)
	s := u.cfg.History.state()
	clean := u.cleanOf(wanted)
	for _, f := range s.files() {
		if clean[f.Name] || !slices.Contains(views, f.View) {
			continue
		}
		rows := 0
		err := u.visit(ctx, f, wanted, func() bool { rows++; return true })
		if err != nil {
			return left, err
		}
		if rows == 0 {
			clean[f.Name] = true
			continue
		}
		left.Rows, left.Files = left.Rows+rows, left.Files+1
	}
	left.Pending = len(s.removed)
	return left, nil
}

// holds reports whether a file has rows of one of keys.
func (u *Upkeep) holds(ctx context.Context, f DataFile, keys keySet) (has bool, err error) {
	err = u.visit(ctx, f, keys, func() bool { has = true; return false })
	return has, err
}

// visit calls found for each row of keys in a file, until it returns false. Files are
// sorted by key.
func (u *Upkeep) visit(ctx context.Context, f DataFile, keys keySet, found func() bool) error {
	in, err := openRows(ctx, u.cfg.History.opener, f)
	if err != nil {
		return err
	}
	defer in.close()
	in.skip = in.without(keys)
	for {
		row, err := in.next(ctx)
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case keys.has(row.Key):
			if !found() {
				return nil
			}
		case bytes.Compare(row.Key, keys.last) > 0:
			return nil
		}
	}
}

// keySet is a set of entity keys.
type keySet struct {
	keys map[string]bool
	last feature.Key // in order
}

func newKeySet(keys []feature.Key) keySet {
	s := keySet{keys: map[string]bool{}}
	for _, k := range keys {
		s.keys[string(k)] = true
		if bytes.Compare(k, s.last) > 0 {
			s.last = k
		}
	}
	return s
}

func (s keySet) has(k feature.Key) bool { return s.keys[string(k)] }
