package ondemand_test

import (
	"fmt"

	"featurestore/feature"
	"featurestore/feature/ondemand"
)

func ExampleCompile() {
	surge := feature.OnDemand{
		Name:    "surge",
		Inputs:  []feature.Reference{{View: "driver_stats", Feature: "conv_rate"}},
		Request: []feature.RequestField{{Name: "demand", Type: feature.ScalarOf(feature.Float64)}},
		Fields: []feature.Computed{{
			Name: "score", Type: feature.ScalarOf(feature.Float64), Expr: "conv_rate * demand",
		}},
	}
	stored := func(feature.Reference) (feature.Type, error) { return feature.ScalarOf(feature.Float32), nil }
	program, err := ondemand.Compile(surge, stored)
	if err != nil {
		fmt.Println(err)
		return
	}
	out := make([]feature.Value, 1)
	err = program.Eval([]feature.Value{feature.OfFloat32(0.5)}, []feature.Value{feature.OfFloat64(3)}, out)
	fmt.Println(out[0], err)

	surge.Fields[0].Expr = "conv_rate * 2"
	_, err = ondemand.Compile(surge, stored)
	fmt.Println(err)
	// Output:
	// 1.5 <nil>
	// definitions: on_demand[surge].features[score].expr: column 11: * does not take (double, int): write conv_rate * 2.0
}
