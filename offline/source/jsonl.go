package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"featurestore/feature"
)

// jsonLines reads one JSON object a line. Blank lines are skipped.
type jsonLines struct {
	stream
	path string
	opt  Options
	line int64
	long []byte // a line longer than the reader's buffer
}

func openJSONLines(f *os.File, path string, packed bool, o Options) (format, error) {
	s, err := openStream(f, packed)
	if err != nil {
		return nil, err
	}
	if err := skipMark(s.in); err != nil {
		return nil, err
	}
	return &jsonLines{stream: s, path: path, opt: o}, nil
}

func (j *jsonLines) columns() []string { return nil }

func (j *jsonLines) next() (*Batch, error) {
	var rows []jsonRow
	var faults []*RowError
	for size := 0; len(rows)+len(faults) < j.opt.BatchRows && size < j.opt.BatchBytes; {
		text, err := j.readLine()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(text) == 0 {
			continue
		}
		size += len(text)
		row, fault := j.parse(text)
		if fault != nil {
			faults = append(faults, fault)
			continue
		}
		rows = append(rows, row)
	}
	if len(rows)+len(faults) == 0 {
		return nil, io.EOF
	}
	b := j.assemble(rows)
	b.Faults = faults
	return b, nil
}

// jsonRow is one line, by name: wanted columns only.
type jsonRow struct {
	at     int64
	values map[string]feature.Value
}

func (j *jsonLines) parse(text []byte) (jsonRow, *RowError) {
	fault := func(column string, err error) (jsonRow, *RowError) {
		return jsonRow{}, &RowError{Path: j.path, At: j.line, Column: column, Err: err}
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil || fields == nil {
		if err == nil {
			err = errors.New("null is not a row")
		}
		return fault("", fmt.Errorf("it is not a JSON object: %w", err))
	}
	row := jsonRow{at: j.line, values: make(map[string]feature.Value, len(fields))}
	for _, w := range j.wanted(fields) {
		raw, ok := fields[w.Name]
		if !ok {
			continue
		}
		v, err := fromJSON(raw, w.Type, j.opt.TimeLayouts)
		if err != nil {
			return fault(w.Name, err)
		}
		row.values[w.Name] = v
	}
	return row, nil
}

func (j *jsonLines) wanted(fields map[string]json.RawMessage) []Want {
	if j.opt.Columns != nil {
		return j.opt.Columns
	}
	var all []Want
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		all = append(all, Want{Name: name})
	}
	return all
}

// assemble turns rows by name into columns.
func (j *jsonLines) assemble(rows []jsonRow) *Batch {
	var names []string
	if j.opt.Columns != nil {
		for _, w := range j.opt.Columns {
			names = append(names, w.Name)
		}
	} else {
		seen := map[string]bool{}
		for _, r := range rows {
			for name := range r.values {
				seen[name] = true
			}
		}
		names = slices.Sorted(maps.Keys(seen))
	}
	build := builder{opt: j.opt}
	build.start(names)
	values, absent := make([]feature.Value, len(names)), make([]bool, len(names))
	for _, r := range rows {
		for i, name := range names {
			v, ok := r.values[name]
			values[i], absent[i] = v, !ok
		}
		build.add(r.at, 0, values, absent)
	}
	return &build.batch
}

// readLine returns the next line without its end and surrounding space; valid
// until the next call.
func (j *jsonLines) readLine() ([]byte, error) {
	j.line++
	j.long = j.long[:0]
	for {
		part, err := j.in.ReadSlice('\n')
		if len(j.long)+len(part) > j.opt.MaxRowBytes+1 {
			return nil, &RowError{Path: j.path, At: j.line, Err: fmt.Errorf("%w: more than %d bytes", ErrRowTooLong, j.opt.MaxRowBytes)}
		}
		switch {
		case err == nil && len(j.long) == 0:
			return bytes.TrimSpace(part), nil
		case err == nil, err == io.EOF && len(j.long)+len(part) > 0:
			j.long = append(j.long, part...)
			return bytes.TrimSpace(j.long), nil
		case err == bufio.ErrBufferFull:
			j.long = append(j.long, part...)
		default:
			return nil, err
		}
	}
}
