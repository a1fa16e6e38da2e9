package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"featurestore/feature"
)

// Decode reads one JSON text into v, a pointer to a struct or a slice of this
// package. It refuses fields that v does not have, keys given twice and deep
// nesting. Errors are Problems that name the field.
func Decode(text []byte, v any) error {
	s := NewScanner(text)
	if _, err := value(&s, 1); err != nil {
		return err
	}
	s.End()
	if err := s.problem(); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		return nil
	}
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return Problemf(CodeInvalidRequest, mistyped.Field, "want %s, got %s", jsonName(mistyped.Type), mistyped.Value)
	}
	// The library names the field in its text only.
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return unknownField("the request", strings.Trim(name, `"`), fieldNames(reflect.TypeOf(v))...)
	}
	return NewProblem(CodeInvalidJSON, err.Error())
}

// jsonName says how JSON calls what a Go type reads.
func jsonName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a number of type " + t.Kind().String()
}

// fieldNames lists the JSON names of a struct's fields, those of structs
// within it included.
func fieldNames(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var out []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			out = append(out, name)
		}
		out = append(out, fieldNames(f.Type)...)
	}
	return out
}

// DecodeEdit reads what a push does to a set: a list of elements to add, or an
// object of lists {"add": […], "remove": […]}. A list that is left out is null.
func DecodeEdit(raw json.RawMessage, t feature.Type) (add, remove feature.Value, err error) {
	if len(raw) == 0 || raw[0] != '{' {
		if add, err = DecodeValue(raw, t); err == nil && add.IsNull() {
			err = errors.New("a set is never null: send a list, or delete the entity to empty it")
		}
		return add, remove, err
	}
	s := NewScanner(raw)
	err = members(&s, func(key string) error {
		list, err := value(&s, 1)
		if err != nil {
			return err
		}
		var into *feature.Value
		switch key {
		case "add":
			into = &add
		case "remove":
			into = &remove
		default:
			return fmt.Errorf(`a set takes a list or {"add": […], "remove": […]}, not %q`, feature.Clip(key))
		}
		if *into, err = DecodeValue(list, t); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err == nil && add.IsNull() && remove.IsNull() {
		err = errors.New(`{"add": […], "remove": […]} has neither list`)
	}
	return add, remove, plain(err)
}

// DecodeIncrement reads what a push adds to a counter: a number, or an object
// {"increment": number}. It is finite and never null.
func DecodeIncrement(raw json.RawMessage, t feature.Type) (feature.Value, error) {
	if len(raw) > 0 && raw[0] == '{' {
		s := NewScanner(raw)
		found := false
		err := members(&s, func(key string) error {
			if key != "increment" {
				return fmt.Errorf(`a counter takes a number or {"increment": number}, not %q`, feature.Clip(key))
			}
			found = true
			var err error
			raw, err = value(&s, 1)
			return err
		})
		if err == nil && !found {
			err = errors.New(`want {"increment": number}`)
		}
		if err != nil {
			return feature.Value{}, plain(err)
		}
	}
	v, err := DecodeValue(raw, t)
	switch {
	case err != nil:
		return v, err
	case v.IsNull():
		return v, errors.New("a counter is never null: send a number to add, 0 for none, or delete the entity to reset it")
	case v.Kind() == feature.Float64 && v.Float()-v.Float() != 0:
		return v, fmt.Errorf("%s cannot be added to a counter", v)
	}
	return v, nil
}
