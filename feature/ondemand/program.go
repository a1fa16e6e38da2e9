package ondemand

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"featurestore/feature"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
)

// Program computes the features of one on-demand view. It is immutable and
// safe for concurrent use.
type Program struct {
	name   string
	inputs int
	vars   []variable
	slots  map[string]int // index in vars by name
	fields []field
	pool   sync.Pool // of *row
}

// field is one compiled expression.
type field struct {
	name    string
	typ     feature.Type
	program cel.Program
	uses    []int
	strict  bool
	cheap   bool
}

// row is the activation of one Eval: variables are converted when first named.
type row struct {
	p               *Program
	inputs, request []feature.Value
	converted       []ref.Val
}

func newProgram(name string, inputs int, vars []variable) *Program {
	p := &Program{name: name, inputs: inputs, vars: vars, slots: make(map[string]int, len(vars))}
	for i, v := range vars {
		p.slots[v.name] = i
	}
	p.pool.New = func() any { return &row{p: p, converted: make([]ref.Val, len(p.vars))} }
	return p
}

// Errors of Eval.
var (
	// ErrFailed matches every FailedError: the outputs are filled.
	ErrFailed = errors.New("on-demand feature could not be computed")
	// ErrMisuse reports arguments that do not fit the program: a mistake of the
	// caller, and no output is filled.
	ErrMisuse = errors.New("arguments do not fit the on-demand view")
)

// FailedError lists the outputs that could not be computed and are null.
type FailedError struct {
	View     string
	Failures []Failure
}

// Failure is one of them.
type Failure struct {
	// Index of the output, and its name.
	Index   int
	Feature string
	Err     error
}

// Error names each output with its reason.
func (e *FailedError) Error() string {
	var b strings.Builder
	for i, f := range e.Failures {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s:%s: %v", e.View, f.Feature, f.Err)
	}
	return b.String()
}

// Is makes errors.Is(e, ErrFailed) true.
func (e *FailedError) Is(target error) bool { return target == ErrFailed }

// Eval computes every feature of the view into out. Inputs, request and out
// are in declared order and of declared types, or null; the program keeps none
// of them.
//
// An output that cannot be computed becomes null and is listed in a
// *FailedError; all others are as good as without it. Arguments that do not
// fit are an error that matches ErrMisuse.
func (p *Program) Eval(inputs, request, out []feature.Value) error {
	if err := p.checkArguments(inputs, request, out); err != nil {
		return err
	}
	r := p.pool.Get().(*row)
	r.inputs, r.request = inputs, request
	defer r.release()
	var failed *FailedError
	for i := range p.fields {
		v, err := r.eval(&p.fields[i])
		if err != nil {
			if failed == nil {
				failed = &FailedError{View: p.name}
			}
			failed.Failures = append(failed.Failures, Failure{Index: i, Feature: p.fields[i].name, Err: err})
		}
		out[i] = v
	}
	if failed != nil {
		return failed
	}
	return nil
}

func (p *Program) checkArguments(inputs, request, out []feature.Value) error {
	if len(inputs) != p.inputs || len(inputs)+len(request) != len(p.vars) || len(out) != len(p.fields) {
		return fmt.Errorf("%w %s: %d inputs, %d request values, %d outputs, want %d, %d, %d", ErrMisuse, p.name,
			len(inputs), len(request), len(out), p.inputs, len(p.vars)-p.inputs, len(p.fields))
	}
	for i := range p.vars {
		v := value(inputs, request, i)
		if !v.IsNull() && v.Type() != p.vars[i].typ {
			return fmt.Errorf("%w %s: %s is %s, want %s", ErrMisuse, p.name, p.vars[i].what, v.Type(), p.vars[i].typ)
		}
	}
	return nil
}

func value(inputs, request []feature.Value, i int) feature.Value {
	if i < len(inputs) {
		return inputs[i]
	}
	return request[i-len(inputs)]
}

// eval returns the value of one feature, null with an error.
func (r *row) eval(f *field) (feature.Value, error) {
	null := r.hasNull(f)
	if null && f.strict {
		return feature.Value{}, nil
	}
	if !f.cheap {
		if err := r.checkSize(f); err != nil {
			return feature.Value{}, err
		}
	}
	result, _, err := f.program.Eval(r)
	if err != nil {
		if null {
			err = nil // what a null leads to is null (D3)
		}
		return feature.Value{}, err
	}
	return fromCEL(result, f.typ)
}

func (r *row) hasNull(f *field) bool {
	for _, slot := range f.uses {
		if value(r.inputs, r.request, slot).IsNull() {
			return true
		}
	}
	return false
}

// ResolveName returns a variable; it makes row a cel.Activation.
func (r *row) ResolveName(name string) (any, bool) {
	slot, ok := r.p.slots[name]
	if !ok {
		return nil, false
	}
	if r.converted[slot] == nil {
		r.converted[slot] = toCEL(value(r.inputs, r.request, slot))
	}
	return r.converted[slot], true
}

// Parent is none.
func (r *row) Parent() cel.Activation { return nil }

func (r *row) release() {
	clear(r.converted)
	r.inputs, r.request = nil, nil
	r.p.pool.Put(r)
}
