package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/apache/arrow/go/v17/arrow/csv"
	"github.com/apache/arrow/go/v17/arrow/flight"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"featurestore/api"
)

// scriptFlight is "flight REQUEST FILE [ENTITY_ROWS]": a stock client asks the store at
// $FLIGHT for what a command names, or for a training set of an Arrow file's entity
// rows, and writes it as CSV; the manifest of the last part stands beside it.
func scriptFlight(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: flight request file [entity-rows.arrow]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := flight.NewClientWithMiddleware(ts.Getenv("FLIGHT"), nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	ts.Check(err)
	defer func() { _ = client.Close() }()
	out, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	d := &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: []byte(args[0])}
	var manifest []byte
	if len(args) > 2 {
		manifest, err = exchangeCSV(ctx, client, d, ts.MkAbs(args[2]), out)
	} else {
		manifest, err = getCSV(ctx, client, d, out)
	}
	err = errors.Join(err, out.Close())
	switch {
	case err != nil && !neg:
		ts.Fatalf("%v", err)
	case err == nil && neg:
		ts.Fatalf("flight %s did not fail", args[0])
	case err != nil:
		ts.Logf("%v", err)
		ts.Check(os.WriteFile(ts.MkAbs("flight.err"), []byte(err.Error()+"\n"), 0o600))
		return
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]+".manifest.json"), manifest, 0o600))
}

func getCSV(ctx context.Context, c flight.Client, d *flight.FlightDescriptor, out *os.File) (manifest []byte, err error) {
	info, err := c.GetFlightInfo(ctx, d)
	if err != nil {
		return nil, err
	}
	for i, e := range info.Endpoint {
		stream, err := c.DoGet(ctx, e.Ticket)
		if err != nil {
			return nil, err
		}
		if manifest, err = streamCSV(stream, out, i == 0); err != nil {
			return nil, err
		}
	}
	return manifest, nil
}

func exchangeCSV(ctx context.Context, c flight.Client, d *flight.FlightDescriptor, path string, out *os.File) (manifest []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	in, err := ipc.NewFileReader(f)
	if err != nil {
		return nil, err
	}
	stream, err := c.DoExchange(ctx)
	if err != nil {
		return nil, err
	}
	w := flight.NewRecordWriter(stream, ipc.WithSchema(in.Schema()))
	w.SetFlightDescriptor(d)
	for i := range in.NumRecords() {
		rec, err := in.Record(i)
		if err != nil {
			return nil, err
		}
		if err := w.Write(rec); err != nil {
			break // the answer says why
		}
	}
	if err := stream.CloseSend(); err != nil {
		return nil, err
	}
	return streamCSV(stream, out, true)
}

// streamCSV writes the rows of a stream, and returns its manifest, which must be there.
func streamCSV(stream flight.DataStreamReader, out *os.File, header bool) ([]byte, error) {
	r, err := flight.NewRecordReader(stream)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	w := csv.NewWriter(out, r.Schema(), csv.WithHeader(header), csv.WithNullWriter(""))
	var manifest []byte
	for r.Next() {
		if err := w.Write(r.Record()); err != nil {
			return nil, err
		}
		manifest = r.LatestAppMetadata()
	}
	if err := errors.Join(r.Err(), w.Flush(), w.Error()); err != nil {
		return nil, err
	}
	var m api.ExportManifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, errors.Join(errors.New("the last message has no manifest"), err)
	}
	return manifest, nil
}
