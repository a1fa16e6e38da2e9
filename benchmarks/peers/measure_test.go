package main

import "testing"

func TestOnlyThePartsThatAreNamedAreMeasured(t *testing.T) {
	p, err := defaultPlan.only([]string{"lag", "reads"})
	if err != nil || p.Lags != defaultPlan.Lags || len(p.Reads) != len(defaultPlan.Reads) || len(p.Writes) != 0 {
		t.Errorf("lag and reads: got %v, %v", p, err)
	}
	if _, err := defaultPlan.only([]string{"latency"}); err == nil {
		t.Error("a part that does not exist: want an error")
	}
	if _, err := choose("redis,mysql"); err == nil {
		t.Error("a contender that does not exist: want an error")
	}
}
