package history

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
)

// errStale says that what a draft was made from counts no more.
var errStale = errors.New("its files were replaced meanwhile")

// Compact makes one file of each set of small ones, by the definitions of a
// registry: columns get the names they have now. Every row stays as it is. It
// returns how many files were replaced.
func (u *Upkeep) Compact(ctx context.Context) (replaced int, err error) {
	h := u.cfg.History
	views := viewsOf(u.cfg.Registry())
	r := h.Reader()
	defer r.Close()
	var errs []error
	for _, set := range choose(r.state.files(), h.cfg.CompactFiles, h.cfg.TargetBytes) {
		_, err := u.rewrite(ctx, set, views[set[0].View], nil)
		switch {
		case errors.Is(err, errStale):
		case err != nil: // a damaged file, say: the others are compacted all the same
			errs = append(errs, fmt.Errorf("compact %d files of view %d of %s: %w", len(set), set[0].View, set[0].Day, err))
		default:
			replaced += len(set)
		}
		if ctx.Err() != nil || h.Ended() != nil {
			break
		}
	}
	return replaced, errors.Join(append(errs, u.compactSteps(ctx, r))...)
}

// rewrite replaces files of one view and day by others with the same rows, but for
// those that drop says, and returns these.
func (u *Upkeep) rewrite(ctx context.Context, set []DataFile, p place, drop func(*Row) bool) ([]DataFile, error) {
	if err := u.scraps.tidy(ctx); err != nil {
		return nil, err
	}
	h := u.cfg.History
	number := h.state().number + 1
	out := output{
		create: u.scraps.create, target: h.cfg.TargetBytes,
		name: func(sum Sum) string {
			return dataName(p.project, p.name(), set[0].View, set[0].Day, number, sum)
		},
	}
	var err error
	if out.columns, err = u.columnsFor(ctx, set, p, &out); err != nil {
		return nil, err
	}
	for row, err := range merged(ctx, h.opener, set) {
		if err == nil && (drop == nil || !drop(&row)) {
			err = out.add(ctx, &row)
		}
		if err != nil {
			out.abandon()
			return nil, err
		}
	}
	if err := out.cut(ctx); err != nil {
		return nil, err
	}
	for i := range out.files {
		out.files[i].View, out.files[i].Day = set[0].View, set[0].Day
	}
	err = u.replace(ctx, &Manifest{Added: out.files}, fileNames(set))
	if err == nil {
		err = u.scraps.tidy(ctx)
	}
	return out.files, err
}

// columnsFor returns the columns of what files become: those that the view has
// now; where that is not known any more, those of the latest file, in its folder.
func (u *Upkeep) columnsFor(ctx context.Context, set []DataFile, p place, out *output) (*columns, error) {
	if p.view != nil {
		return columnsOf(p.view), nil
	}
	last := set[len(set)-1]
	in, err := openRows(ctx, u.cfg.History.opener, last)
	if err != nil {
		return nil, err
	}
	defer in.close()
	named := out.name
	out.name = func(sum Sum) string { return path.Join(path.Dir(last.Name), path.Base(named(sum))) }
	return in.columns, nil
}

func fileNames(set []DataFile) []string {
	var names []string
	for _, f := range set {
		names = append(names, f.Name)
	}
	return names
}

// replace commits files in place of others.
func (u *Upkeep) replace(ctx context.Context, m *Manifest, instead []string) error {
	err := u.cfg.History.commit(ctx, func(s *state) (*Manifest, error) {
		u.scraps.tried = s.number + 1
		draft := *m
		draft.Removed = nil
		for _, name := range instead {
			if !s.has(name) {
				if isThere(s, m, instead) {
					return nil, errCommitted
				}
				return nil, errStale
			}
			draft.Removed = append(draft.Removed, Removal{Name: name})
		}
		return &draft, nil
	})
	if errors.Is(err, errCommitted) {
		return nil
	}
	return err
}

// isThere reports whether all that a draft adds counts; and where it adds nothing,
// whether nothing counts any more that it takes away.
func isThere(s *state, m *Manifest, instead []string) bool {
	if len(m.Added)+len(m.Steps) == 0 {
		return !slices.ContainsFunc(instead, s.has)
	}
	for _, f := range m.Added {
		if !s.has(f.Name) {
			return false
		}
	}
	for _, f := range m.Steps {
		if !s.has(f.Name) {
			return false
		}
	}
	return true
}

// output cuts sorted rows into files of about a size.
type output struct {
	columns *columns
	create  func(ctx context.Context, name string, data []byte) error
	name    func(Sum) string
	target  int64
	w       *fileWriter
	files   []DataFile
}

func (o *output) add(ctx context.Context, r *Row) (err error) {
	if o.w == nil {
		if o.w, err = newFileWriter(o.columns); err != nil {
			return err
		}
	}
	if err := o.w.add(r); err != nil {
		return err
	}
	if o.w.pending == 0 && int64(o.w.sizeBytes()) >= o.target {
		return o.cut(ctx)
	}
	return nil
}

// cut ends the file that is being written.
func (o *output) cut(ctx context.Context) error {
	if o.w == nil {
		return nil
	}
	f, data, err := o.w.end()
	o.w = nil
	if err != nil {
		return err
	}
	f.Name = o.name(f.Sum)
	o.files = append(o.files, f)
	return o.create(ctx, f.Name, data)
}

func (o *output) abandon() {
	if o.w != nil {
		o.w.abandon()
		o.w = nil
	}
}

// stepFiles is how many files of steps become one, and stepFileBytes how large
// that gets.
const (
	stepFiles     = 64
	stepFileBytes = 4 << 20
)

// compactSteps makes one file of many with steps.
func (u *Upkeep) compactSteps(ctx context.Context, r *Reader) error {
	h := u.cfg.History
	var names []string
	var all []Step
	sizeBytes := int64(0)
	for _, name := range slices.Sorted(maps.Keys(r.state.steps)) {
		f := r.state.steps[name]
		if sizeBytes+f.SizeBytes > stepFileBytes {
			continue
		}
		sizeBytes += f.SizeBytes
		names = append(names, name)
	}
	if len(names) < stepFiles {
		return nil
	}
	for _, name := range names {
		some, err := readSteps(ctx, h.opener, r.state.steps[name])
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	data := encodeSteps(slices.Compact(newSteps(all).All()))
	f := StepFile{SizeBytes: int64(len(data)), Sum: sha256.Sum256(data)}
	f.Name = stepsName(h.state().number+1, f.Sum)
	if err := u.scraps.create(ctx, f.Name, data); err != nil {
		return err
	}
	if err := u.replace(ctx, &Manifest{Steps: []StepFile{f}}, names); err != nil && !errors.Is(err, errStale) {
		return fmt.Errorf("compact %d files of steps: %w", len(names), err)
	}
	return u.scraps.tidy(ctx)
}
