package sdk_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"featurestore/sdk"
)

// exampleStore runs a store for one example.
func exampleStore() (url string, stop func()) {
	s, err := startStore(rides)
	if err != nil {
		log.Fatal(err)
	}
	return s.url, func() {
		if err := s.stop(); err != nil {
			log.Fatal(err)
		}
	}
}

func exampleClient(url string) *sdk.Client {
	c, err := sdk.New(sdk.Config{URLs: []string{url}, Project: "rides"})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// Driver holds what one model reads of a driver, and what is pushed.
type Driver struct {
	ID       int64                 `key:"driver_id"`
	ConvRate sdk.Optional[float32] `feature:"driver_stats:conv_rate"`
	Trips    sdk.Counter[int64]    `feature:"driver_stats:trips"`
	Tags     []string              `feature:"driver_stats:tags"`
	At       time.Time             `feature:"@event_time"`
}

func ExampleLookup() {
	url, stop := exampleStore()
	defer stop()
	client := exampleClient(url)
	defer client.Close()
	ctx := context.Background()

	_, err := sdk.Push(ctx, client, sdk.View("driver_stats"),
		Driver{ID: 1001, ConvRate: sdk.Some[float32](0.5), Trips: sdk.Increment[int64](3), Tags: []string{"night"}})
	if err != nil {
		log.Fatal(err)
	}

	result, err := sdk.Lookup[Driver](ctx, client, sdk.Service("driver_v1"), sdk.Keys(Driver{ID: 1001}, Driver{ID: 1002}))
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range result.Rows {
		rate, known := d.ConvRate.Get()
		fmt.Println(d.ID, rate, known, d.ConvRate.Status, d.Trips.Total, d.Tags)
	}
	fmt.Println("served by", result.Met.Region, result.Met.Store)
	// Output:
	// 1001 0.5 true PRESENT 3 [night]
	// 1002 0 false NOT_FOUND 0 []
	// served by eu eu-1
}

func ExampleLookup_readOptions() {
	url, stop := exampleStore()
	defer stop()
	client := exampleClient(url)
	defer client.Close()
	ctx := sdk.WithSession(context.Background())

	fresh := sdk.ReadOptions{
		Prefer: []sdk.Alternative{
			{Level: sdk.Session, Within: 5 * time.Millisecond},
			{Level: sdk.Eventual},
		},
		OnUnmet: sdk.Fail,
	}
	result, err := sdk.Lookup[Driver](ctx, client, sdk.Service("driver_v1").At(fresh), sdk.Columns{"driver_id": []int64{1, 2, 3}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(result.Rows), "rows at level", result.Met.Level)
	// Output: 3 rows at level session
}

func ExampleWriter() {
	url, stop := exampleStore()
	defer stop()
	client := exampleClient(url)
	defer client.Close()
	ctx := context.Background()

	// What a pipeline pushes: counts, and no word about the other features.
	type Trip struct {
		DriverID int64              `key:"driver_id"`
		Trips    sdk.Counter[int64] `feature:"driver_stats:trips"`
		Areas    sdk.Set[string]    `feature:"driver_stats:areas"`
	}
	writer, err := sdk.NewWriter[Trip](client, sdk.View("driver_stats"), sdk.WriterConfig{MaxDelay: 2 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- writer.Run(ctx) }()

	var futures []*sdk.Future
	for i := range 1000 {
		f, err := writer.Push(ctx, Trip{DriverID: int64(i % 4), Trips: sdk.Increment[int64](1), Areas: sdk.Add("centre")})
		if err != nil {
			log.Fatal(err) // not taken: closed, or ctx ended while the writer was full
		}
		futures = append(futures, f)
	}
	if err := writer.Close(ctx); err != nil {
		log.Fatal(err)
	}
	if err := <-ran; err != nil {
		log.Fatal(err)
	}

	verdicts := map[sdk.Verdict]int{}
	for _, f := range futures {
		r, _ := f.Wait(ctx)
		verdicts[r.Verdict]++
	}
	fmt.Println(verdicts)

	result, err := sdk.Lookup[Trip](ctx, client, sdk.Features(), sdk.Keys(Trip{DriverID: 0}, Trip{DriverID: 3}))
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range result.Rows {
		fmt.Println(d.DriverID, d.Trips.Total, d.Areas.Elements)
	}
	// Output:
	// map[accepted:1000]
	// 0 250 [centre]
	// 3 250 [centre]
}

func ExampleWithSession() {
	url, stop := exampleStore()
	defer stop()

	// One service writes within a session and hands its token on.
	writing := exampleClient(url)
	defer writing.Close()
	ctx := sdk.WithSession(context.Background())
	if _, err := sdk.Push(ctx, writing, sdk.View("driver_stats"), Driver{ID: 7, ConvRate: sdk.Some[float32](0.25)}); err != nil {
		log.Fatal(err)
	}
	token := sdk.SessionToken(ctx)

	// Another one, elsewhere, goes on in the same session: it sees the write,
	// or is told why it cannot.
	reading := exampleClient(url)
	defer reading.Close()
	ctx = sdk.WithSessionToken(context.Background(), token)
	q := sdk.Service("driver_v1").At(sdk.ReadOptions{Level: sdk.Session, OnUnmet: sdk.Fail})
	result, err := sdk.Lookup[Driver](ctx, reading, q, sdk.Keys(Driver{ID: 7}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Rows[0].ConvRate.Value, result.Met.Level)
	// Output: 0.25 session
}

// A client of several regions is given one store and finds the others. Run
// keeps its measurements fresh.
func ExampleClient_Run() {
	url, stop := exampleStore()
	defer stop()
	client, err := sdk.New(sdk.Config{URLs: []string{url}, Project: "rides", Discover: true, Region: "eu"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- client.Run(ctx) }()

	// Its own writes within 5 ms, else whatever is there; and no longer than 20 ms
	// for the nearest store alone.
	read := sdk.ReadOptions{
		Prefer: []sdk.Alternative{{Level: sdk.Session, Within: 5 * time.Millisecond}, {Level: sdk.Eventual}},
		Hedge:  20 * time.Millisecond,
	}
	result, err := sdk.Lookup[Driver](sdk.WithSession(ctx), client, sdk.Service("driver_v1").At(read), sdk.Keys(Driver{ID: 1001}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Met.Level, "in", result.Met.Region)

	cancel()
	if err := <-ran; err != nil {
		log.Fatal(err)
	}
	// Output: session in eu
}
