package feature

import (
	"cmp"
	"fmt"
	"slices"
)

// unionKeys returns the join keys of the entities, each name once, ordered by
// name. Entities may share a join key if they agree on its type; int32 and
// int64 agree, and the wider one is taken.
func unionKeys(entities []string, entity func(string) (*Entity, bool)) ([]JoinKey, error) {
	var keys []JoinKey
	for _, name := range entities {
		e, ok := entity(name)
		if !ok {
			return nil, fmt.Errorf("no entity %s", name)
		}
		for _, k := range e.JoinKeys {
			i := slices.IndexFunc(keys, func(have JoinKey) bool { return have.Name == k.Name })
			switch {
			case i < 0:
				keys = append(keys, k)
			case !sameKey(keys[i].Type, k.Type):
				return nil, fmt.Errorf("join key %s is %s in one entity and %s in another: give it one type, or two names", k.Name, keys[i].Type, k.Type)
			case k.Type.Kind == Int64:
				keys[i].Type = k.Type
			}
		}
	}
	slices.SortFunc(keys, func(a, b JoinKey) int { return cmp.Compare(a.Name, b.Name) })
	return keys, nil
}

// sameKey reports whether keys of both types that hold one value are one
// entity, so that rows are found whichever type wrote them.
func sameKey(a, b Type) bool {
	return a == b || isInteger(a) && isInteger(b)
}

func isInteger(t Type) bool { return t == ScalarOf(Int32) || t == ScalarOf(Int64) }
