package benchmarks

import (
	"fmt"
	"testing"

	"featurestore/api"
)

// ledGroup makes the benchmarks' group one that eu leads.
const ledGroup = `
groups:
  - {name: default, placement: leader, home: [eu], durability: quorum}
`

// BenchmarkLeaderRead looks one driver up at the leader of its shard, at level
// leader: with what that takes, a look at who has promised to follow nobody else,
// before the rows are read and after. The baseline is the same lookup at level
// eventual, at the same store; they take turns.
func BenchmarkLeaderRead(b *testing.B) {
	const rows = 100_000
	regions := startRegions(b, ledGroup)
	token := ""
	for from := 0; from < rows; from += 1000 {
		token = push(b, regions[1], token, from, from+1000)
	}
	for _, r := range regions {
		covered(b, r, token)
	}
	order := loadOrder{
		Kind: "http", Address: regions[1].Addr().String(), Path: "/v1/projects/bench/lookup", Connections: lookupConnections, Keys: rows,
	}
	for _, entities := range []int{1, 10} {
		b.Run(fmt.Sprintf("entities=%d", entities), func(b *testing.B) {
			leader, eventual := order, order
			leader.Entities, eventual.Entities = entities, entities
			leader.Headers = api.HeaderConsistency + ": leader\r\n"
			eventual.Headers = api.HeaderConsistency + ": eventual\r\n"
			compare(b, 8000, []side{{"leader", leader}, {"eventual", eventual}})
		})
	}
}
