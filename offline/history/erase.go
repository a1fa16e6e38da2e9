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

// Erase takes the rows of an entity key out of views, deletes included, and
// removes the files that held them, and all others that count no more, at once,
// whatever Config.Keep says: readers in other processes may find them gone
// (ErrNotExist). It knows what is committed:
// who erases an entity deletes it in the store first, and waits until Progress
// covers that delete, for what the log still brings comes in later. After an error
// some of it may be done; doing it again is safe.
func (u *Upkeep) Erase(ctx context.Context, views []feature.ViewID, key feature.Key) (Erased, error) {
	var done Erased
	h := u.cfg.History
	places := viewsOf(u.cfg.Registry())
	r := h.Reader()
	files := slices.DeleteFunc(r.state.files(), func(f DataFile) bool { return !slices.Contains(views, f.View) })
	r.Close() // the files below are taken away by this goroutine alone
	for _, f := range files {
		has, err := u.holds(ctx, f, key)
		if err != nil {
			return done, err
		}
		if !has {
			continue
		}
		rows := 0
		err = u.rewrite(ctx, []DataFile{f}, places[f.View], func(r *Row) bool {
			if !bytes.Equal(r.Key, key) {
				return false
			}
			rows++
			return true
		})
		if err != nil {
			return done, fmt.Errorf("erase an entity from %s: %w", f.Name, err)
		}
		done.Rows, done.Files = done.Rows+rows, done.Files+1
	}
	// What compaction took away before may hold the entity as well.
	var err error
	done.Pending, err = u.collect(ctx, func(Removal) bool { return true })
	return done, err
}

// holds reports whether a file has rows of a key. Files are sorted by key.
func (u *Upkeep) holds(ctx context.Context, f DataFile, key feature.Key) (bool, error) {
	in, err := openRows(ctx, u.cfg.History.opener, f)
	if err != nil {
		return false, err
	}
	defer in.close()
	for {
		row, err := in.next(ctx)
		switch c := bytes.Compare(row.Key, key); {
		case err == io.EOF:
			return false, nil
		case err != nil:
			return false, err
		case c >= 0:
			return c == 0, nil
		}
	}
}
