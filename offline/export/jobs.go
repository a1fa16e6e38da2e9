package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/offline/jobs"
)

// JobKind is the kind of an export's job.
const JobKind jobs.Kind = "export"

// JobsConfig says where jobs write. All fields are required.
type JobsConfig struct {
	Exports *Exports
	// Jobs runs them.
	Jobs *jobs.Registry
	// Dir is the folder of what they make, and, in a folder that is not for others, of
	// what they need to begin again.
	Dir string
}

// Jobs are exports that write files, and go on when the process has died: each keeps what
// was asked for, with its entity rows, the commit of history and the definitions, until it
// has ended. Its methods are safe for concurrent use.
//
//	<dir>/<out>, <dir>/<out>.manifest.json    what was made
//	<dir>/.jobs/<out>.job                     of a job that has not ended
//	<dir>/.jobs/<out>.arrow                   its entity rows, where they were sent
type Jobs struct {
	cfg JobsConfig
	// life ends when jobs are to end without being forgotten; set by Resume.
	life context.Context
}

// record is a job that has not ended, as it lies on disk.
type record = api.ExportJob

const (
	recordFolder = ".jobs"
	recordEnding = ".job"
	rowsEnding   = ".arrow"
)

// maxLives is how many lives of the process a job may run in: one that ends the process
// would end all.
const maxLives = 10

// NewJobs makes the folder, and removes what an earlier life of the process left
// half-written in it.
func NewJobs(c JobsConfig) (*Jobs, error) {
	if c.Exports == nil || c.Jobs == nil || c.Dir == "" {
		return nil, errors.New("export jobs configuration: Exports, Jobs and Dir must be set")
	}
	j := &Jobs{cfg: c}
	if err := os.MkdirAll(filepath.Join(c.Dir, recordFolder), 0o700); err != nil {
		return nil, fmt.Errorf("folder of exports: %w", err)
	}
	for _, folder := range []string{c.Dir, filepath.Join(c.Dir, recordFolder)} {
		left, err := filesNamed(folder, ".", ".part")
		for _, path := range left {
			err = errors.Join(err, os.Remove(path))
		}
		if err != nil {
			return nil, fmt.Errorf("folder of exports: %w", err)
		}
	}
	return j, nil
}

// filesNamed returns the paths of what lies in a folder under names that begin and end so.
func filesNamed(folder, begin, end string) (paths []string, err error) {
	all, err := os.ReadDir(folder)
	for _, f := range all {
		if strings.HasPrefix(f.Name(), begin) && strings.HasSuffix(f.Name(), end) {
			paths = append(paths, filepath.Join(folder, f.Name()))
		}
	}
	return paths, err
}

// Resume starts the jobs that an earlier life of the process has not ended. Those that run
// when life ends are begun again by the next one. It is called once, before Start; after
// an error some jobs were not started, and stay for the next life.
func (j *Jobs) Resume(life context.Context) error {
	j.life = life
	paths, err := filesNamed(filepath.Join(j.cfg.Dir, recordFolder), "", recordEnding)
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range paths {
		var r record
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err == nil {
			err = j.start(life, &r)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("job that has not ended: %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// Start begins a job that writes request.Out. Entity rows are an Arrow stream, read before
// Start returns; nil for none. Fresh is as in Exports.Begin. What is wrong with the
// request shows at once. Errors of the registry are those of jobs.Registry.Start.
func (j *Jobs) Start(ctx context.Context, project string, request *api.ExportRequest, entityRows io.Reader, fresh bool) (_ jobs.Job, err error) {
	if err := checkOut(request.Out); err != nil {
		return jobs.Job{}, &FieldError{"out", err}
	}
	x := j.cfg.Exports
	if fresh {
		if err := x.Await(ctx); err != nil {
			return jobs.Job{}, err
		}
	}
	in := x.cfg.History.Reader()
	past, err := OfRegistry(ctx, in, x.cfg.Files, x.cfg.Registry())
	if err != nil {
		in.Close()
		return jobs.Job{}, err
	}
	r := &record{Project: project, Request: *request, EntityRowsSent: entityRows != nil, Commit: in.Number()}
	defer func() {
		if err != nil {
			past.Close()
		}
	}()
	if r.Definitions, err = definition.EncodeRegistry(past.registry); err != nil {
		return jobs.Job{}, err
	}
	rows := j.path(r, rowsEnding)
	sent := rows + ".sent"
	if entityRows != nil {
		if sent, err = x.spool(ctx, entityRows, filepath.Dir(rows)); err != nil {
			return jobs.Job{}, err
		}
		defer func() { _ = os.Remove(sent) }() // gone, when it has got its name
	}
	// The request is judged now, so that a wrong one is no job.
	_, closeRows, err := j.export(ctx, past, r, sent)
	closeRows()
	if err != nil {
		return jobs.Job{}, err
	}
	return j.begin(ctx, r, past, sent)
}

// begin makes a job durable and starts it. It takes over past.
func (j *Jobs) begin(ctx context.Context, r *record, past *Past, sent string) (jobs.Job, error) {
	started := make(chan struct{})
	job, err := j.cfg.Jobs.Start(j.spec(r, past, started))
	if err != nil {
		return job, err
	}
	r.ID = string(job.ID)
	err = func() error {
		if r.EntityRowsSent {
			if err := os.Rename(sent, j.path(r, rowsEnding)); err != nil {
				return err
			}
		}
		return j.keep(ctx, r)
	}()
	if err != nil {
		_, _ = j.cfg.Jobs.Cancel(job.ID) // it is there: it was started above
		close(started)
		return job, fmt.Errorf("job %s cannot be kept: %w", job.ID, err)
	}
	defer close(started)
	// It may have been canceled while it waited, when there was nothing to forget yet.
	if now, err := j.cfg.Jobs.Get(job.ID); (err != nil || now.State.HasEnded()) && j.life.Err() == nil {
		return job, j.forget(r)
	}
	return job, nil
}

// start starts a job of an earlier life. What it reads is held from now on: it may have to
// wait for others. What cannot be opened now is opened, or told, when it runs.
func (j *Jobs) start(ctx context.Context, r *record) error {
	past, err := j.reopen(ctx, r)
	if err != nil {
		past = nil
	}
	started := make(chan struct{})
	close(started)
	_, err = j.cfg.Jobs.Start(j.spec(r, past, started))
	if err != nil && past != nil {
		past.Close()
	}
	return err
}

func (j *Jobs) path(r *record, ending string) string {
	return filepath.Join(j.cfg.Dir, recordFolder, r.Request.Out+ending)
}

// spec is what the registry runs. Past is nil where it could not be opened yet.
func (j *Jobs) spec(r *record, past *Past, started <-chan struct{}) jobs.Spec {
	return jobs.Spec{
		ID: jobs.ID(r.ID), Kind: JobKind, Project: r.Project, Of: r.Request.Out, Unit: "rows", Locks: []string{"export " + r.Request.Out},
		Work: func(ctx context.Context, report *jobs.Report) error {
			<-started // soon: its record is being written
			err := j.live(ctx, r, past, report)
			if err != nil && j.life.Err() != nil {
				r.Lives--                               // it did not end this one
				return errors.Join(err, j.keep(ctx, r)) // the next life begins it again
			}
			return errors.Join(err, j.forget(r))
		},
		Dropped: func() {
			if past != nil {
				past.Close()
			}
			if j.life.Err() == nil {
				_ = j.forget(r)
			}
		},
	}
}

// keep makes the record of a job durable, whatever becomes of ctx.
func (j *Jobs) keep(ctx context.Context, r *record) error {
	text, err := json.Marshal(r)
	if err == nil {
		err = replaceFile(context.WithoutCancel(ctx), j.path(r, recordEnding), text)
	}
	return err
}

// forget removes what a job needs to begin again.
func (j *Jobs) forget(r *record) error {
	var errs []error
	for _, ending := range []string{recordEnding, rowsEnding} {
		if err := os.Remove(j.path(r, ending)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// reportEvery is how often a job tells how far it is.
const reportEvery = 200 * time.Millisecond

// live counts this life of a job, and runs it unless there were too many.
func (j *Jobs) live(ctx context.Context, r *record, past *Past, report *jobs.Report) (err error) {
	if past != nil {
		defer past.Close()
	}
	if r.Lives++; r.Lives > maxLives {
		return api.Problemf(api.CodeInternal, "", "the process died %d times while this export ran, and it is not begun again: tell the operator; entity rows that are not as they should be may be why", maxLives)
	}
	if err := j.keep(ctx, r); err != nil {
		return fmt.Errorf("the job cannot be kept: %w", err)
	}
	if past == nil {
		if past, err = j.reopen(ctx, r); err != nil {
			return Problem(err)
		}
		defer past.Close()
	}
	return j.run(ctx, r, past, report)
}

// run makes the export.
func (j *Jobs) run(ctx context.Context, r *record, past *Past, report *jobs.Report) (err error) {
	defer j.cfg.Exports.cfg.Began()()
	e, closeRows, err := j.export(ctx, past, r, j.path(r, rowsEnding))
	defer closeRows()
	if err != nil {
		return Problem(err)
	}
	tell := func() {
		done, total := e.Progress()
		report.Total(total)
		report.Done(done)
	}
	telling, stop := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		tick := time.NewTicker(reportEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				tell()
			case <-telling.Done():
				return
			}
		}
	}()
	m, err := Write(ctx, e, filepath.Join(j.cfg.Dir, r.Request.Out))
	stop()
	<-told
	if err != nil {
		return Problem(err)
	}
	m.File = r.Request.Out // where the folder lies is the operator's to know
	tell()
	report.Detail(m)
	return nil
}

// reopen opens the commit that a job was begun with in an earlier life.
func (j *Jobs) reopen(ctx context.Context, r *record) (*Past, error) {
	registry, err := definition.DecodeRegistry(r.Definitions)
	if err != nil {
		return nil, err
	}
	x := j.cfg.Exports
	in, err := x.cfg.History.ReaderAt(ctx, r.Commit)
	if err != nil {
		return nil, fmt.Errorf("the process died while this export ran, and it cannot go on with what it was begun with: %w; start it anew", err)
	}
	past, err := OfRegistry(ctx, in, x.cfg.Files, registry)
	if err != nil {
		in.Close()
	}
	return past, err
}

// export resolves a job's request, with entity rows from a file where they were sent.
// CloseRows is called whatever happens.
func (j *Jobs) export(ctx context.Context, past *Past, r *record, rowsFile string) (e Export, closeRows func(), err error) {
	if !r.EntityRowsSent {
		e, err = past.Ask(ctx, r.Project, &r.Request, nil, j.cfg.Exports.cfg.Join)
		return e, func() {
			if c, ok := e.(io.Closer); ok {
				_ = c.Close() // it was only read
			}
		}, err
	}
	f, err := os.Open(rowsFile)
	if err != nil {
		return nil, func() {}, fmt.Errorf("entity rows: %w", err)
	}
	var stream *EntityStream
	e, err = past.Ask(ctx, r.Project, &r.Request, func(*Training) (array.RecordReader, error) {
		stream, err = NewEntityStream(ctx, f, StreamLimits{})
		if err != nil {
			return nil, err
		}
		return stream, nil
	}, j.cfg.Exports.cfg.Join)
	return e, func() {
		if stream != nil {
			stream.Close()
		}
		_ = f.Close() // it was only read
	}, err
}

// spool keeps entity rows that are sent, checked, in a file of a folder.
func (x *Exports) spool(ctx context.Context, in io.Reader, dir string) (path string, err error) {
	stream, err := NewEntityStream(context.WithoutCancel(ctx), in, x.cfg.Streams)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	f, err := os.CreateTemp(dir, ".rows.*.part")
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = writeStream(f, stream)
	return f.Name(), errors.Join(err, f.Sync())
}

func writeStream(w io.Writer, rows array.RecordReader) (err error) {
	defer caught(&err)
	out := ipc.NewWriter(w, ipc.WithSchema(rows.Schema()))
	for rows.Next() {
		if err := out.Write(rows.Record()); err != nil {
			return err
		}
	}
	return errors.Join(rows.Err(), out.Close())
}

// checkOut wants the plain name of a file, with an ending that is a format.
func checkOut(name string) error {
	switch _, known := formats[filepath.Ext(name)]; {
	case name == "":
		return errors.New("it is missing: name the file to write, such as train.parquet")
	case name != filepath.Base(name) || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\`+"\x00") || len(name) > 200:
		return fmt.Errorf("it is %q: give the name of a file alone, which lies in the store's folder of exports", feature.Clip(name))
	case !known:
		return fmt.Errorf("%w: %s; let it end in .parquet, .arrow or .csv", ErrFormat, feature.Clip(name))
	case strings.HasSuffix(name, recordEnding):
		return fmt.Errorf("it is %q", name)
	}
	return nil
}
