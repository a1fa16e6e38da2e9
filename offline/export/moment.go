package export

import (
	"context"
	"fmt"

	"featurestore/offline/history"
)

// Moment names a Past among those of all histories: what is made of it is the same
// wherever and whenever it is opened again (EX3).
type Moment struct {
	// Commit is the number of the manifest, Sum its sum: manifests of two histories
	// may have one number.
	Commit uint64
	Sum    history.Sum
	// Epoch and Revision are those of the definitions that it is read by.
	Epoch, Revision uint64
}

// Moment returns the name of the Past.
func (p *Past) Moment() Moment {
	v := p.registry.Version()
	return Moment{Commit: p.in.Number(), Sum: p.in.Sum(), Epoch: v.Epoch, Revision: v.Revision}
}

// Source opens Pasts of a history that this process writes. Its methods are safe for
// concurrent use.
type Source struct {
	History *history.History
	// Files are those of History.
	Files history.Files
}

// Now returns the latest commit, with the definitions in force. Errors are those of
// Of. The caller closes it.
func (s Source) Now(ctx context.Context) (*Past, error) {
	in := s.History.Reader()
	p, err := Of(ctx, in, s.Files)
	if err != nil {
		in.Close()
		return nil, err
	}
	return p, nil
}

// At returns the Past of a moment, or history.ErrGone: it is too old, or of another
// history. The caller closes it.
func (s Source) At(ctx context.Context, m Moment) (_ *Past, err error) {
	in := s.History.Reader()
	defer func() {
		if err != nil {
			in.Close()
		}
	}()
	if in.Number() != m.Commit {
		in.Close()
		earlier, err := s.History.ReaderAt(ctx, m.Commit)
		if err != nil {
			return nil, err
		}
		in = earlier
	}
	if in.Sum() != m.Sum {
		return nil, fmt.Errorf("%w: commit %d of this history has another manifest: it is another history than the one meant", history.ErrGone, m.Commit)
	}
	encoded, err := history.DefinitionsAt(ctx, s.Files, m.Epoch, m.Revision)
	if err != nil {
		return nil, err
	}
	return with(ctx, in, s.Files, encoded)
}
