package definition

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"featurestore/feature"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// value reads a default of type t; null for none.
func (r *reader) value(n ast.Node, t feature.Type) feature.Value {
	n = r.resolve(n)
	if n == nil || isNull(n) || t == (feature.Type{}) {
		return feature.Value{}
	}
	if t.Shape == feature.Scalar {
		return r.scalar(n, t.Kind)
	}
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fault(n, "a list is wanted for %s, not %s", t, describe(n))
		return feature.Value{}
	}
	var elems []feature.Value
	before := r.count()
	for i, e := range s.Values {
		r.within("["+strconv.Itoa(i)+"]", func() {
			if e = r.resolve(e); isNull(e) {
				r.fault(e, "a list has no nulls")
			} else if e != nil {
				elems = append(elems, r.scalar(e, t.Kind))
			}
		})
	}
	if r.count() > before || r.visits < 0 {
		return feature.Value{}
	}
	if t.Shape == feature.Vector {
		if len(elems) != t.Dim {
			r.fault(n, "%s has %d elements, not %d", t, t.Dim, len(elems))
			return feature.Value{}
		}
		floats := make([]float32, len(elems))
		for i, e := range elems {
			floats[i] = float32(e.Float())
		}
		return feature.OfVector(floats)
	}
	v, err := feature.OfList(t.Kind, elems...)
	if err != nil {
		r.fault(n, "%v", err)
	}
	return v
}

// scalar reads one value of kind k.
func (r *reader) scalar(n ast.Node, k feature.Kind) feature.Value {
	text, quoted, ok := scalarText(n)
	if !ok {
		r.fault(n, "a %s is wanted, not %s", k, describe(n))
		return feature.Value{}
	}
	switch k {
	case feature.Int32, feature.Int64, feature.Float32, feature.Float64, feature.Bool:
		if quoted {
			r.fault(n, "a %s is wanted, without quotes", k)
			return feature.Value{}
		}
	case feature.String, feature.JSON:
		text = r.text(n, `"text"`)
	}
	v, err := scalarOf(text, k)
	if err != nil {
		r.fault(n, "%v", err)
	}
	return v
}

// scalarText returns the characters of a scalar as they stand in the document.
func scalarText(n ast.Node) (text string, quoted, ok bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		t := s.GetToken().Type
		return s.Value, t == token.SingleQuoteType || t == token.DoubleQuoteType, true
	case *ast.LiteralNode:
		return s.Value.Value, true, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, false, true
	}
	return "", false, false
}

func scalarOf(text string, k feature.Kind) (feature.Value, error) {
	bad := func(want string) (feature.Value, error) {
		return feature.Value{}, fmt.Errorf("%q is not %s", feature.Clip(text), want)
	}
	switch k {
	case feature.Int32:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return bad("an int32: a whole number from -2147483648 to 2147483647")
		}
		return feature.OfInt32(int32(n)), nil
	case feature.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return bad("an int64: a whole number of 64 bits")
		}
		return feature.OfInt64(n), nil
	case feature.Float32, feature.Float64:
		return floatOf(text, k)
	case feature.Bool:
		if text != "true" && text != "false" {
			return bad("true or false")
		}
		return feature.OfBool(text == "true"), nil
	case feature.Timestamp:
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return bad("a time in RFC 3339, such as 2026-01-31T12:00:00Z")
		}
		return feature.OfTime(t)
	case feature.Bytes:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return bad("base64, such as aGVsbG8=")
		}
		return feature.OfBytes(b), nil
	case feature.UUID:
		return feature.ParseUUID(text)
	case feature.Decimal:
		return feature.ParseDecimal(text)
	case feature.JSON:
		if !json.Valid([]byte(text)) {
			return bad(`a JSON document in quotes, such as '{"a": 1}'`)
		}
		return feature.OfJSON(text), nil
	}
	return feature.OfString(text)
}

func floatOf(text string, k feature.Kind) (feature.Value, error) {
	bits := map[feature.Kind]int{feature.Float32: 32, feature.Float64: 64}[k]
	var f float64
	switch strings.ToLower(text) {
	case ".nan":
		f = math.NaN()
	case ".inf", "+.inf":
		f = math.Inf(1)
	case "-.inf":
		f = math.Inf(-1)
	default:
		var err error
		f, err = strconv.ParseFloat(text, bits)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(text, "xX_") {
			return feature.Value{}, fmt.Errorf("%q is not a %s, such as 0.5, 1e6, .nan or -.inf", feature.Clip(text), k)
		}
	}
	if bits == 32 {
		return feature.OfFloat32(float32(f)), nil
	}
	return feature.OfFloat64(f), nil
}
