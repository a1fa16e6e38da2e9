package definition

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"featurestore/feature"
)

// MaxFiles is how many files a folder of definitions may hold.
const MaxFiles = 1000

// Parse reads one document of at most MaxBytes. Name stands for the file in
// errors. The errors are *FaultError, joined, all that were found; what other
// objects must agree on is checked by Registry.Plan, not here.
func Parse(name string, r io.Reader) (feature.Definitions, error) {
	var m merge
	if err := m.add(name, r); err != nil {
		return feature.Definitions{}, err
	}
	return m.result(name)
}

// Load reads the definitions of a project: a file, or the files of a folder
// whose names end in .yaml or .yml, in the order of their names and without
// sub-folders. Files of a folder name the same project or none.
func Load(path string) (feature.Definitions, error) {
	files, err := list(path)
	if err != nil {
		return feature.Definitions{}, err
	}
	var m merge
	var errs []error
	for _, file := range files {
		errs = append(errs, m.addFile(file))
	}
	if err := errors.Join(errs...); err != nil {
		return feature.Definitions{}, err
	}
	return m.result(path)
}

func list(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	var files []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml" {
			continue
		}
		files = append(files, filepath.Join(path, e.Name()))
	}
	switch {
	case len(files) == 0:
		return nil, &FaultError{File: path, Message: "the folder has no file that ends in .yaml or .yml"}
	case len(files) > MaxFiles:
		return nil, &FaultError{File: path, Message: fmt.Sprintf("%d files, at most %d are read", len(files), MaxFiles)}
	}
	return files, nil
}

// merge puts the documents of one project together.
type merge struct {
	d        feature.Definitions
	project  place
	declared map[string]place
}

func (m *merge) addFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read definitions: %w", err)
	}
	defer f.Close()
	return m.add(path, f)
}

func (m *merge) add(name string, src io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(src, MaxBytes+1))
	if err != nil {
		return fmt.Errorf("read definitions %s: %w", name, err)
	}
	root, err := parse(name, text, MaxBytes)
	if err != nil || root == nil {
		return err
	}
	r := newReader(name, root, maxVisits)
	if m.declared == nil {
		m.declared = r.declared
	}
	r.declared = m.declared
	d, seen := r.definitions(root, false)
	if at, ok := seen["project"]; ok && d.Project != "" {
		line, column := position(at)
		switch m.d.Project {
		case "":
			m.d.Project, m.project = d.Project, place{name, line, column}
		case d.Project:
		default:
			r.fault(at, "project %q, but %s:%d:%d says %q: a folder holds one project", feature.Clip(d.Project), m.project.file, m.project.line, m.project.column, m.d.Project)
		}
	}
	m.d.Entities = append(m.d.Entities, d.Entities...)
	m.d.Groups = append(m.d.Groups, d.Groups...)
	m.d.Views = append(m.d.Views, d.Views...)
	m.d.OnDemands = append(m.d.OnDemands, d.OnDemands...)
	m.d.Services = append(m.d.Services, d.Services...)
	return r.err()
}

func (m *merge) result(name string) (feature.Definitions, error) {
	if m.d.Project == "" {
		return feature.Definitions{}, &FaultError{File: name, Line: 1, Column: 1, Message: `no project is named: begin with "project: rides"`}
	}
	m.rules()
	return m.d, nil
}

// rules gives features that name no conflict rule that of their group, which may
// stand in another file.
func (m *merge) rules() {
	rules := map[string]feature.Rule{}
	for _, g := range m.d.Groups {
		rules[g.Name] = g.Conflict
	}
	for _, v := range m.d.Views {
		for i := range v.Fields {
			if f := &v.Fields[i]; f.Rule == leftToGroup {
				f.Rule = rules[v.GroupName()]
			}
		}
	}
}
