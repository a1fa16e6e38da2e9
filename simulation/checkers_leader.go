package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"featurestore/consistency"
	"featurestore/feature"
)

// A register is what linearizability is checked of: one feature of one driver,
// under the rule that the last write wins. Deletes write the absence of a value.
type register struct {
	write bool
	value int64 // of a write, or, as output, of a read; absent for none
}

const absent = -1

var registers = porcupine.Model{
	Init: func() any { return int64(absent) },
	Step: func(state, input, output any) (bool, any) {
		in := input.(register)
		if in.write {
			return true, in.value
		}
		return output.(register).value == state.(int64), state
	},
	DescribeOperation: func(input, output any) string {
		if in := input.(register); in.write {
			return fmt.Sprintf("write %d", in.value)
		}
		return fmt.Sprintf("read %d", output.(register).value)
	},
}

// linearizeLimit bounds the search for one driver: it is exponential.
const linearizeLimit = 5 * time.Second

// checkLinearizable wants reads at level leader, and writes acknowledged at the
// group's durability, to be as if each took effect at one moment between its
// beginning and its end (Herlihy and Wing, 1990). A write whose outcome its client
// does not know may take effect at any moment after it began, or never.
func checkLinearizable(e *Evidence) []Violation {
	switch e.Durability.Kind {
	case consistency.ConcernUnset, consistency.Local: // a forced promotion may lose what one store has
		return nil
	}
	byDriver := map[int64][]porcupine.Operation{}
	var last int64
	for i := range e.Operations {
		last = max(last, e.Operations[i].Ended.UnixNano())
	}
	for i := range e.Operations {
		op := &e.Operations[i]
		if o, ok := e.registerOf(op, last+1); ok {
			o.ClientId = len(byDriver[op.Driver])
			byDriver[op.Driver] = append(byDriver[op.Driver], o)
		}
	}
	var out []Violation
	for _, driver := range order(byDriver) {
		if !slices.ContainsFunc(byDriver[driver], func(o porcupine.Operation) bool { return !o.Input.(register).write }) {
			continue
		}
		if porcupine.CheckOperationsTimeout(registers, byDriver[driver], linearizeLimit) == porcupine.Illegal {
			out = append(out, Violation{"linearizable", fmt.Sprintf("no order explains what leaders said of feature w of driver %d: %s", driver, describeRegisters(byDriver[driver]))})
		}
	}
	return out
}

// registerOf is what an operation did to, or saw of, feature w of its driver.
func (e *Evidence) registerOf(op *Operation, never int64) (porcupine.Operation, bool) {
	o := porcupine.Operation{Call: op.Began.UnixNano(), Return: op.Ended.UnixNano()}
	switch {
	case op.Push != nil && (op.Push.W != nil || op.Push.Delete):
		if op.Position.Position.At == 0 && !op.Untold {
			return o, false // refused before it was written
		}
		in := register{write: true, value: absent}
		if op.Push.W != nil {
			in.value = *op.Push.W
		}
		o.Input, o.Output = in, register{}
		if op.Err != nil || op.Untold || !op.Push.Concern.Implies(e.Durability) {
			o.Return = never
		}
		return o, true
	case op.Lookup != nil && op.Err == nil && op.Met.Met.Level == consistency.Leader && !op.Met.Degraded:
		value := int64(absent)
		for _, c := range op.Row.Cells {
			if c.Rule == feature.WriteTime {
				value = c.Read().Int()
			}
		}
		o.Input, o.Output = register{}, register{value: value}
		return o, true
	}
	return o, false
}

func describeRegisters(ops []porcupine.Operation) string {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	text := ""
	for _, o := range ops {
		text += fmt.Sprintf("\n    %s to %s: %s", clock(time.Unix(0, o.Call)), clock(time.Unix(0, o.Return)), registers.DescribeOperation(o.Input, o.Output))
	}
	return text
}
