package source

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"featurestore/feature"
)

// csvFile reads CSV with a header line.
type csvFile struct {
	stream
	path   string
	in     *csv.Reader
	limit  *rowLimit
	header []string
	from   []int // for each column of the batch, its field; -1: the file lacks it
	names  []string
	types  []feature.Type
	build  builder
	line   int64 // the last line of the last row
	// Scratch of one row.
	values []feature.Value
	absent []bool
}

func openCSV(f *os.File, path string, packed bool, o Options) (format, error) {
	s, err := openStream(f, packed)
	if err != nil {
		return nil, err
	}
	c := &csvFile{stream: s, path: path, limit: &rowLimit{in: s.in, max: int64(o.MaxRowBytes)}, build: builder{opt: o}}
	c.limit.reset()
	if err := skipMark(c.limit); err != nil {
		return nil, err
	}
	c.in = csv.NewReader(c.limit)
	c.in.FieldsPerRecord = -1
	if c.header, err = c.in.Read(); err != nil {
		if err == io.EOF {
			err = errors.New("it is empty: the first line must name the columns")
		}
		return nil, c.fatal(err)
	}
	if err := c.choose(o.Columns); err != nil {
		return nil, err
	}
	c.in.ReuseRecord = true
	c.line = 1
	return c, nil
}

// choose finds the wanted columns in the header.
func (c *csvFile) choose(want []Want) error {
	at := map[string]int{}
	for i, name := range c.header {
		if name == "" {
			continue // the index that data frames write: nobody can ask for it
		}
		if j, twice := at[name]; twice {
			return fmt.Errorf("line 1: columns %d and %d are both named %q", j+1, i+1, name)
		}
		at[name] = i
	}
	if want == nil {
		for _, name := range c.header {
			if name != "" {
				want = append(want, Want{Name: name})
			}
		}
	}
	for _, w := range want {
		i, ok := at[w.Name]
		if !ok {
			i = -1
		}
		c.from, c.names, c.types = append(c.from, i), append(c.names, w.Name), append(c.types, w.Type)
	}
	c.values, c.absent = make([]feature.Value, len(want)), make([]bool, len(want))
	return nil
}

func (c *csvFile) columns() []string { return c.header }

func (c *csvFile) next() (*Batch, error) {
	c.build.start(c.names)
	for !c.build.full() {
		c.limit.reset()
		before := c.in.InputOffset()
		record, err := c.in.Read()
		size := int(c.in.InputOffset() - before)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, c.fatal(err)
		}
		line, _ := c.in.FieldPos(0)
		last := len(record) - 1
		end, _ := c.in.FieldPos(last)
		c.line = int64(end + strings.Count(record[last], "\n"))
		if fault := c.row(int64(line), record); fault != nil {
			c.build.fault(fault, size)
			continue
		}
		c.build.add(int64(line), size, c.values, c.absent)
	}
	if c.build.empty() {
		return nil, io.EOF
	}
	b := c.build.batch
	return &b, nil
}

// row fills values and absent from one record.
func (c *csvFile) row(line int64, record []string) *RowError {
	if len(record) != len(c.header) {
		return &RowError{Path: c.path, At: line, Err: fmt.Errorf("it has %d fields, the header has %d", len(record), len(c.header))}
	}
	for i, field := range c.from {
		c.absent[i], c.values[i] = field < 0, feature.Value{}
		if field < 0 || record[field] == "" {
			continue
		}
		v, err := fromText(record[field], c.types[i], c.build.opt.TimeLayouts)
		if err != nil {
			return &RowError{Path: c.path, At: line, Column: c.names[i], Err: err}
		}
		c.values[i] = v
	}
	return nil
}

// fatal gives an error of the CSV syntax its file and line.
func (c *csvFile) fatal(err error) error {
	var syntax *csv.ParseError
	switch {
	case errors.As(err, &syntax):
		return &RowError{Path: c.path, At: int64(syntax.StartLine), Err: fmt.Errorf("%w (line %d, byte %d)", syntax.Err, syntax.Line, syntax.Column)}
	case errors.Is(err, ErrRowTooLong):
		return &RowError{Path: c.path, At: c.line + 1, Err: err}
	}
	return err
}
