package benchmarks

import (
	"math/rand/v2"
	"strconv"
)

// The rows that every side of a comparison serves: ten float64 features of
// four decimals, such as rates and averages are, a driver.
const benchFeatures = 10

func featureName(i int) string { return "f" + strconv.Itoa(i) }

// benchRow returns the features of one driver, the same on every call.
func benchRow(id int) [benchFeatures]float64 {
	random := rand.New(rand.NewPCG(uint64(id), 1))
	var row [benchFeatures]float64
	for i := range row {
		row[i] = float64(random.IntN(100_000_000)) / 10_000
	}
	return row
}
