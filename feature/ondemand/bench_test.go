package ondemand_test

import (
	"testing"

	"featurestore/feature"
)

// BenchmarkEval compares expressions with the same work written in Go.
func BenchmarkEval(b *testing.B) {
	in := []feature.Value{sample["conv_rate"], sample["trips"]}
	out := make([]feature.Value, 1)
	for _, c := range []struct{ name, expr string }{
		{"arithmetic", "conv_rate * double(trips)"},
		{"null", "conv_rate == null ? 0.0 : conv_rate * double(trips)"},
	} {
		p := compiled(b, view(c.expr, "float64", "conv_rate", "trips"))
		b.Run("expr="+c.name+"/by=cel", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Eval(in, nil, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("expr=null/by=go", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			byHand(in, out)
		}
	})
}

func byHand(in, out []feature.Value) {
	switch {
	case in[0].IsNull():
		out[0] = feature.OfFloat64(0)
	case in[1].IsNull():
		out[0] = feature.Value{}
	default:
		out[0] = feature.OfFloat64(in[0].Float() * in[1].Float())
	}
}

func BenchmarkCompile(b *testing.B) {
	o := view("conv_rate == null ? 0.0 : conv_rate * double(trips)", "float64", "conv_rate", "trips")
	for b.Loop() {
		compiled(b, o)
	}
}
