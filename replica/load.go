package replica

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"featurestore/feature"
	"featurestore/offline/bucket"
)

// Sources are the layers a Config is read from, the later ones winning.
type Sources struct {
	// File is a YAML file; "" for none.
	File string
	// Environ has the form of os.Environ; variables without our prefix and those
	// in Others are passed over.
	Environ []string
	Others  []string
	// Flags are the flags that were given, by key.
	Flags map[string]string
}

// Load reads a Config and validates it. Its error lists every fault, each with
// the place it came from: file and line, variable, or flag. Relative paths in
// the file are taken from the file's folder.
func Load(s Sources) (Config, error) {
	return Overlay(Config{}, s)
}

// Overlay is Load on top of base, which serves where no layer says otherwise.
func Overlay(base Config, s Sources) (Config, error) {
	// One flat name space: a dot in a key is no path.
	merged := koanf.New("\x00")
	places := map[string]string{}
	var errs []error
	if s.File != "" {
		errs = append(errs, loadFile(merged, s.File, places))
	}
	errs = append(errs, loadEnviron(merged, s, places), merged.Load(flagLayer(s.Flags), nil))
	for key := range s.Flags {
		places[key] = "flag --" + strings.ReplaceAll(key, "_", "-")
	}
	if err := errors.Join(errs...); err != nil {
		return Config{}, err
	}
	for _, setting := range settings {
		value := merged.Get(setting.Key)
		if value == nil {
			continue
		}
		place := places[setting.Key]
		if list, ok := value.([]any); ok && setting.list != nil {
			text, err := setting.list(list)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", place, err))
				continue
			}
			value = text
		}
		switch value.(type) {
		case map[string]any, []any:
			errs = append(errs, fmt.Errorf("%s: %s takes one value, not a list or a map", place, setting.Key))
			continue
		}
		text := fmt.Sprint(value)
		if fromFile := strings.HasPrefix(place, s.File+":"); s.File != "" && fromFile && setting.path && text != "" && !filepath.IsAbs(text) && !bucket.IsURL(text) {
			text = filepath.Join(filepath.Dir(s.File), text)
		}
		if err := setting.set(&base, text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", place, setting.Key, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Config{}, err
	}
	return base, base.Validate()
}

// loadFile adds the file's keys, having checked each with its line.
func loadFile(merged *koanf.Koanf, path string, places map[string]string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return fmt.Errorf("%s:%s", path, clearError(err))
	}
	var errs []error
	for _, doc := range tree.Docs {
		for _, entry := range entries(doc.Body) {
			key := entry.Key.GetToken()
			place := fmt.Sprintf("%s:%d:%d", path, key.Position.Line, key.Position.Column)
			places[key.Value] = place
			if err := checkKey(key.Value); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", place, err))
			}
		}
		if doc.Body != nil && doc.Body.Type() != ast.NullType && entries(doc.Body) == nil {
			errs = append(errs, fmt.Errorf("%s: it holds no keys; write them as name: value", path))
		}
	}
	if len(tree.Docs) > 1 {
		errs = append(errs, fmt.Errorf("%s: it has %d documents; write one", path, len(tree.Docs)))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := merged.Load(file.Provider(path), yamlParser{}); err != nil {
		return fmt.Errorf("%s:%s", path, clearError(err))
	}
	return nil
}

func entries(body ast.Node) []*ast.MappingValueNode {
	switch node := body.(type) {
	case *ast.MappingNode:
		return node.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{node}
	}
	return nil
}

// clearError cuts the drawing that the YAML library adds to its errors.
func clearError(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return strings.Replace(strings.Replace(first, "[", "", 1), "]", ":", 1)
}

func checkKey(key string) error {
	if _, ok := settingOf(key); ok {
		return nil
	}
	if near := feature.Nearest(key, keys()); near != "" {
		return fmt.Errorf("there is no setting %q; did you mean %s?", key, near)
	}
	return fmt.Errorf("there is no setting %q; the settings are %s", key, strings.Join(keys(), ", "))
}

// loadEnviron adds the variables with our prefix.
func loadEnviron(merged *koanf.Koanf, s Sources, places map[string]string) error {
	var errs []error
	err := merged.Load(env.Provider("\x00", env.Opt{
		Prefix:      variablePrefix,
		EnvironFunc: func() []string { return s.Environ },
		TransformFunc: func(name, value string) (string, any) {
			for _, other := range s.Others {
				if name == other {
					return "", nil
				}
			}
			key := strings.ToLower(strings.TrimPrefix(name, variablePrefix))
			places[key] = name
			if err := checkKey(key); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
				return "", nil
			}
			return key, value
		},
	}), nil)
	return errors.Join(append(errs, err)...)
}

// flagLayer hands flags to koanf.
type flagLayer map[string]string

// ReadBytes is not what koanf calls here.
func (f flagLayer) ReadBytes() ([]byte, error) { return nil, errors.ErrUnsupported }

// Read returns the flags.
func (f flagLayer) Read() (map[string]any, error) {
	out := make(map[string]any, len(f))
	for key, value := range f {
		out[key] = value
	}
	return out, nil
}

// yamlParser reads YAML for koanf.
type yamlParser struct{}

// Unmarshal reads one document.
func (yamlParser) Unmarshal(data []byte) (map[string]any, error) {
	var out map[string]any
	if err := yaml.Unmarshal(data, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// Marshal is not what koanf calls here.
func (yamlParser) Marshal(map[string]any) ([]byte, error) { return nil, errors.ErrUnsupported }
