package training_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"featurestore/sdk"
	"featurestore/sdk/training"
)

// Trip is an entity row: for whom, when, and the label.
type Trip struct {
	Driver    int64     `key:"driver_id"`
	At        time.Time `feature:"@event_time"`
	Cancelled bool      `column:"cancelled"`
}

func Example() {
	url, stop, err := startStore()
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	client, err := sdk.New(sdk.Config{URLs: []string{url}, Project: "rides"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := sdk.WithSession(context.Background()) // what is pushed below is in the export

	_, err = sdk.Push(ctx, client, sdk.View("driver_stats"), Driver{ID: 7, Rate: 0.5, Trips: sdk.Increment[int64](3), At: noon})
	if err != nil {
		log.Fatal(err)
	}
	trips, err := training.Structs([]Trip{{7, noon.Add(time.Minute), true}, {7, noon.Add(-time.Minute), false}})
	if err != nil {
		log.Fatal(err)
	}
	set, err := training.Export(ctx, client, sdk.ExportRequest{Service: "driver_v1"}, trips)
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	for set.Next() {
		rec := set.Record()
		for i := range int(rec.NumRows()) {
			fmt.Println(rec.Column(0).ValueStr(i), rec.Column(2).ValueStr(i), rec.Column(3).ValueStr(i), rec.Column(4).ValueStr(i))
		}
	}
	if err := set.Err(); err != nil { // nil: every row came
		log.Fatal(err)
	}
	// Output:
	// 7 true 0.5 3
	// 7 false (null) (null)
}
