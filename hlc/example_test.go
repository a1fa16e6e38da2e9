package hlc_test

import (
	"fmt"
	"time"

	"featurestore/hlc"
)

// Two stores whose wall clocks differ: what the slow one writes after seeing
// the fast one's write is ordered after it.
func ExampleClock() {
	wall := time.Date(2026, 8, 21, 10, 59, 42, 0, time.UTC)
	fast, _ := hlc.NewClock(hlc.Config{Wall: func() time.Time { return wall.Add(80 * time.Millisecond) }})
	slow, _ := hlc.NewClock(hlc.Config{Wall: func() time.Time { return wall }})

	written, _ := fast.Now()
	fmt.Println("fast wrote", written)
	if err := slow.Witness(written); err != nil {
		fmt.Println(err)
	}
	answer, _ := slow.Now()
	fmt.Println("slow wrote", answer)
	// Output:
	// fast wrote 2026-08-21T10:59:42.080Z+0
	// slow wrote 2026-08-21T10:59:42.080Z+1
}

// A read may be answered when the replica has applied what the session saw.
func ExampleVector() {
	at := hlc.FromTime(time.Date(2026, 8, 21, 10, 59, 42, 0, time.UTC))
	applied := hlc.Vector{1: at + 5, 2: at}
	session := hlc.Vector{1: at + 3}
	fmt.Println("may answer:", applied.Covers(session))

	session = session.Merge(hlc.Vector{2: at + 1})
	fmt.Println("may answer:", applied.Covers(session))
	fmt.Println("both have:", applied.Floor(session))
	// Output:
	// may answer: true
	// may answer: false
	// both have: {o1@2026-08-21T10:59:42.000Z+3 o2@2026-08-21T10:59:42.000Z+0}
}
