package flight

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/flight"
	"google.golang.org/grpc/codes"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/offline/export"
	"featurestore/offline/history"
	"featurestore/offline/pit"
)

// FL2: a ticket gives the same rows after more was written, and in a process that began
// later; and once its files are gone it gives none.
func TestATicketIsOfItsCommit(t *testing.T) {
	h := open(t)
	h.write(3000)
	client, stop := h.server()
	info, err := client.GetFlightInfo(t.Context(), command(t, api.ExportRequest{Rows: "driver_stats"}))
	if err != nil {
		t.Fatal(err)
	}
	read := func(c flight.Client) (rows []string) {
		t.Helper()
		for _, e := range info.Endpoint {
			got, err := get(t.Context(), c, e.Ticket)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, got.rows...)
		}
		return rows
	}
	want := read(client)
	h.write(500)
	h.apply(strings.Replace(rides, "name: note,", "name: remark,", 1))
	if got := read(client); !slices.Equal(got, want) {
		t.Errorf("%d rows after more was written, want %d, the same", len(got), len(want))
	}
	stop()
	h.history.Close()
	h.reopen()
	again := h.serve()
	if got := read(again); !slices.Equal(got, want) {
		t.Errorf("%d rows from another process, want %d, the same", len(got), len(want))
	}
	// The request that is pinned describes the same once more.
	pinned, err := again.GetFlightInfo(t.Context(), &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: info.AppMetadata})
	if err != nil || pinned.TotalRecords != info.TotalRecords || len(pinned.Endpoint) != len(info.Endpoint) {
		t.Errorf("pinned: %+v, %v", pinned, err)
	}
	upkeep, err := history.NewUpkeep(history.UpkeepConfig{History: h.history, Registry: func() *feature.Registry { return h.store.Registry() }})
	if err != nil {
		t.Fatal(err)
	}
	for range 8 { // files are replaced, and collected
		h.write(500)
	}
	if n, err := upkeep.Compact(t.Context()); err != nil || n == 0 {
		t.Fatalf("%d files are replaced, %v", n, err)
	}
	if err := upkeep.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range info.Endpoint {
		_, err := get(t.Context(), again, e.Ticket)
		wantStatus(t, "a ticket whose files are gone", err, codes.NotFound, "ask for the flight again")
	}
}

// A ticket of another history is not answered from this one, whatever its number.
func TestATicketOfAnotherHistoryIsRefused(t *testing.T) {
	a, b := open(t), open(t)
	a.write(500)
	b.write(500)
	info, err := a.serve().GetFlightInfo(t.Context(), command(t, api.ExportRequest{Rows: "driver_stats"}))
	if err != nil {
		t.Fatal(err)
	}
	client := b.serve()
	_, err = get(t.Context(), client, info.Endpoint[0].Ticket)
	wantStatus(t, "a ticket of another history", err, codes.NotFound, "gone")
	// Pinned entity rows likewise.
	_, rec := entityRecords(3)
	var at api.FlightRequest
	if err := json.Unmarshal(info.AppMetadata, &at); err != nil {
		t.Fatal(err)
	}
	_, err = exchange(t.Context(), client, full(t, api.FlightRequest{ExportRequest: api.ExportRequest{Service: "driver_v1"}, At: at.At}), rec, 1)
	wantStatus(t, "a training set of another history", err, codes.NotFound, "gone")
}

// A training set can be made again of the commit that its schema message named.
func TestATrainingSetCanBePinned(t *testing.T) {
	h := open(t)
	h.write(1000)
	client := h.serve()
	asked := api.ExportRequest{Service: "driver_v1"}
	info, err := client.GetFlightInfo(t.Context(), command(t, asked))
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Endpoint) != 0 {
		t.Errorf("%d tickets of a training set without entity rows", len(info.Endpoint))
	}
	_, rec := entityRecords(2000)
	first, err := exchange(t.Context(), client, command(t, asked), rec, 1)
	if err != nil {
		t.Fatal(err)
	}
	h.write(1000)
	again, err := exchange(t.Context(), client, &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: info.AppMetadata}, rec, 2)
	if err != nil {
		t.Fatal(err)
	}
	now, err := exchange(t.Context(), client, command(t, asked), rec, 2)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first.rows, again.rows) || slices.Equal(first.rows, now.rows) {
		t.Errorf("the same rows: pinned %v, now %v; want only the pinned ones", slices.Equal(first.rows, again.rows), slices.Equal(first.rows, now.rows))
	}
}

// What is wrong is told by field, and by the nearest name.
func TestWhatIsWrongIsNamed(t *testing.T) {
	h := open(t)
	h.write(500)
	client := h.serve()
	cmd := func(text string) *flight.FlightDescriptor {
		return &flight.FlightDescriptor{Type: flight.DescriptorCMD, Cmd: []byte(text)}
	}
	path := func(parts ...string) *flight.FlightDescriptor {
		return &flight.FlightDescriptor{Type: flight.DescriptorPATH, Path: parts}
	}
	for _, tc := range []struct {
		d    *flight.FlightDescriptor
		code codes.Code
		text string
	}{
		{&flight.FlightDescriptor{}, codes.InvalidArgument, "descriptor"},
		{cmd(``), codes.InvalidArgument, "command: it is empty"},
		{cmd(`{`), codes.InvalidArgument, ""},
		{cmd(`{"row": "driver_stats"}`), codes.InvalidArgument, `rows`},
		{cmd(`{"rows": 7}`), codes.InvalidArgument, "rows: want a string"},
		{cmd(`{"rows": "driver_stat"}`), codes.NotFound, `did you mean "driver_stats"?`},
		{cmd(`{"rows": "ratio"}`), codes.InvalidArgument, "on demand"},
		{cmd(`{"rows": "driver_stats", "out": "f.parquet"}`), codes.InvalidArgument, "out: "},
		{cmd(`{"project": "ride", "rows": "driver_stats"}`), codes.NotFound, "rides"},
		{cmd(`{"rows": "driver_stats", "snapshot": "driver_stats"}`), codes.InvalidArgument, "ask for one"},
		{cmd(`{"project": "rides"}`), codes.InvalidArgument, "nothing is asked for"},
		{cmd(`{"changes": "driver_stats"}`), codes.InvalidArgument, "since"},
		{cmd(`{"snapshot": "driver_stats", "served_at": "noon"}`), codes.InvalidArgument, "served_at"},
		{cmd(`{"rows": "driver_stats", "part": {"number": 3, "of": 2}}`), codes.InvalidArgument, "part"},
		{cmd(`{"snapshot": "driver_stats", "part": {"number": 0, "of": 2}}`), codes.InvalidArgument, "part"},
		{cmd(`{"rows": "driver_stats", "at": {"commit": 1, "manifest": "xyz"}}`), codes.InvalidArgument, "at.manifest"},
		{cmd(`{"service": "driver_v2"}`), codes.NotFound, `did you mean "driver_v1"?`},
		{cmd(`{"features": ["driver_stats:rat"]}`), codes.NotFound, `features[0]`},
		{cmd(`{"features": ["driver_stats"]}`), codes.InvalidArgument, "view:feature"},
		{cmd(`{"service": "driver_v1", "known_as_of": "x"}`), codes.InvalidArgument, "known_as_of"},
		{cmd(`{"service": "driver_v1", "as_served_in": "us"}`), codes.InvalidArgument, "region eu"},
		{path(), codes.InvalidArgument, "path"},
		{path("a", "b", "c"), codes.InvalidArgument, "path: it has 3 parts"},
		{path("rides", "driver_stat"), codes.NotFound, `did you mean "driver_stats"?`},
	} {
		_, err := client.GetFlightInfo(t.Context(), tc.d)
		wantStatus(t, fmt.Sprintf("info of %s%v", tc.d.Cmd, tc.d.Path), err, tc.code, tc.text)
		_, err = client.GetSchema(t.Context(), tc.d)
		wantStatus(t, fmt.Sprintf("schema of %s%v", tc.d.Cmd, tc.d.Path), err, tc.code, tc.text)
	}
	_, err := get(t.Context(), client, &flight.Ticket{Ticket: []byte(`{"service": "driver_v1"}`)})
	wantStatus(t, "a ticket for a training set", err, codes.InvalidArgument, "entity_rows")
	_, err = get(t.Context(), client, &flight.Ticket{Ticket: []byte("\xff\xfe")})
	wantStatus(t, "a ticket that is none", err, codes.InvalidArgument, "")
	put, err := client.DoPut(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = put.Recv()
	wantStatus(t, "DoPut", err, codes.Unimplemented, "DoExchange")
}

// A history that has no definitions yet has no flights, and says so.
func TestAnEmptyHistory(t *testing.T) {
	h := &house{TB: t, folder: t.TempDir()}
	h.files = history.NewDisk(h.folder)
	h.reopen()
	defer func() { h.history.Close() }()
	client := h.serve()
	if got := flights(t, client, ""); len(got) != 0 {
		t.Errorf("flights %v of nothing", got)
	}
	_, err := client.GetFlightInfo(t.Context(), command(t, api.ExportRequest{Rows: "driver_stats"}))
	wantStatus(t, "no history", err, codes.Unavailable, "no history yet")
}

// flights lists what there is, as project/view and rows.
func flights(t *testing.T, c flight.Client, project string) (out []string) {
	t.Helper()
	list, err := c.ListFlights(t.Context(), &flight.Criteria{Expression: []byte(project)})
	if err != nil {
		t.Fatal(err)
	}
	for {
		info, err := list.Recv()
		if err != nil {
			if err.Error() != "EOF" {
				t.Fatal(err)
			}
			return out
		}
		out = append(out, fmt.Sprint(strings.Join(info.FlightDescriptor.Path, "/"), " ", info.TotalRecords))
	}
}

func TestTheViewsAreListed(t *testing.T) {
	h := open(t)
	h.write(500)
	client := h.serve()
	rows := len(h.exported(h.past().Rows(export.ViewRequest{View: "driver_stats"}, pit.Config{})).rows)
	want := []string{fmt.Sprint("rides/driver_stats ", rows), "rides/empty 0"}
	for _, project := range []string{"", "rides"} {
		if got := flights(t, client, project); !slices.Equal(got, want) {
			t.Errorf("of project %q: %v, want %v", project, got, want)
		}
	}
	list, err := client.ListFlights(t.Context(), &flight.Criteria{Expression: []byte("ride")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = list.Recv()
	wantStatus(t, "another project", err, codes.NotFound, "rides")
	// Nobody is asked who he is, and PollFlightInfo is done at once.
	hands, err := client.Handshake(t.Context())
	if err == nil {
		err = hands.Send(&flight.HandshakeRequest{ProtocolVersion: 3})
	}
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := hands.Recv(); err != nil || answer.ProtocolVersion != 3 {
		t.Errorf("handshake: %v, %v", answer, err)
	}
	if err := hands.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := hands.Recv(); err == nil || err.Error() != "EOF" {
		t.Errorf("handshake ends with %v", err)
	}
	poll, err := client.PollFlightInfo(t.Context(), command(t, api.ExportRequest{Rows: "driver_stats"}))
	if err != nil || poll.FlightDescriptor != nil || poll.Info.TotalRecords != int64(rows) {
		t.Errorf("poll: %v, %v", poll, err)
	}
}
