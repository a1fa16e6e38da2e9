package peer

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"featurestore/feature"
	"featurestore/hlc"
	"featurestore/replication"
	"featurestore/replication/oplog"
	"featurestore/replication/peer/wire"
)

func testCodec(t testing.TB, maxBytes int, compress bool) *codec {
	t.Helper()
	c, err := newCodec(maxBytes, 1, compress)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.decoder.Close)
	return c
}

// encoded returns the bytes of m's frame.
func encoded(t fataler, c *codec, m replication.Message) []byte {
	t.Helper()
	b, err := c.encode(m)
	if err != nil {
		t.Fatalf("encode %T: %v", m, err)
	}
	defer b.Free()
	return bytes.Clone(b.ReadOnlyData())
}

func TestMessagesSurviveTheWire(t *testing.T) { // N3
	for _, c := range []*codec{testCodec(t, 1<<20, false), testCodec(t, 1<<20, true)} {
		rapid.Check(t, func(t *rapid.T) {
			want := drawMessage(t)
			got, err := c.decode(encoded(t, c, want))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("got  %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

// TestEveryMessageIsDrawn reads which messages there are, so that none can be
// added to package replication and be forgotten here, nor any of their fields.
func TestEveryMessageIsDrawn(t *testing.T) {
	source, err := os.ReadFile("../message.go")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^func \((\w+)\) message\(\)`).FindAllStringSubmatch(string(source), -1) {
		want[m[1]] = true
	}
	for i, draw := range draws {
		filled := map[string]bool{}
		var kind reflect.Type
		for seed := range 50 {
			m := reflect.ValueOf(rapid.Custom(draw).Example(seed + i))
			kind = m.Type()
			for _, f := range reflect.VisibleFields(kind) {
				filled[f.Name] = filled[f.Name] || !m.FieldByIndex(f.Index).IsZero()
			}
		}
		for name, ok := range filled {
			if !ok {
				t.Errorf("%v.%s is never drawn", kind, name)
			}
		}
		delete(want, kind.Name())
	}
	if len(want) > 0 {
		t.Errorf("messages of no draw: %v", want)
	}
}

// TestReadersByHandAgreeWithGeneratedCode: the generated code is the plain twin
// of those readers that do not copy.
func TestReadersByHandAgreeWithGeneratedCode(t *testing.T) {
	c := testCodec(t, 1<<20, false)
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom([]func(*rapid.T) replication.Message{drawInterval, drawRelog, drawChunk, drawAudited}).Draw(t, "kind")(t)
		frame := encoded(t, c, m)
		f := new(wire.Frame)
		if err := proto.Unmarshal(frame, f); err != nil {
			t.Fatalf("generated code: %v", err)
		}
		read, err := decodeMessage(frame)
		if err != nil {
			t.Fatalf("by hand: %v", err)
		}
		again, err := frameOf(read)
		if err != nil || !proto.Equal(again, f) {
			t.Fatalf("by hand %v, %v\ngenerated %v", again, err, f)
		}
	})
}

func TestEntriesAliasTheFrame(t *testing.T) {
	e := logged(t, oplog.Entry{Kind: oplog.Noop, Origin: 1, At: 7})
	frame := encoded(t, testCodec(t, 1<<20, false), replication.Interval{Interval: oplog.Interval{Origin: 1, Through: 7, Entries: []oplog.Logged{e}}})
	m, err := decodeMessage(frame)
	if err != nil {
		t.Fatal(err)
	}
	raw := m.(replication.Interval).Entries[0].Raw
	at := bytes.Index(frame, raw)
	if at < 0 || &frame[at] != &raw[0] {
		t.Error("the entry was copied")
	}
	if cap(raw) != len(raw) {
		t.Errorf("the entry's capacity is %d, want its length %d: appending to it would write over the next", cap(raw), len(raw))
	}
}

func TestDataIsCompressedWhereThatSaves(t *testing.T) {
	c := testCodec(t, 1<<20, true)
	for _, x := range []struct {
		claim string
		m     replication.Message
		want  bool
	}{
		{"rows that repeat", replication.RegistryNews{Encoded: bytes.Repeat([]byte("driver"), 1000)}, true},
		{"little", replication.RegistryNews{Encoded: bytes.Repeat([]byte("driver"), 10)}, false},
		{"positions", replication.Closed{Origin: 1, After: map[feature.Shard]hlc.Timestamp{{}: 1}}, false},
	} {
		frame := encoded(t, c, x.m)
		if got := frame[0]>>3 == byte(bodyZstd); got != x.want {
			t.Errorf("%s: compressed is %v, want %v", x.claim, got, x.want)
		}
		if got, err := c.decode(frame); err != nil || !reflect.DeepEqual(got, x.m) {
			t.Errorf("%s: got %v, %v", x.claim, got, err)
		}
	}
}

func TestWhatCannotBeReadIsMalformed(t *testing.T) { // N3
	c := testCodec(t, 1<<18, true)
	body := func(number protowire.Number, content ...byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
	}
	bomb := protowire.AppendBytes(protowire.AppendTag(nil, bodyZstd, protowire.BytesType), c.encoder.EncodeAll(make([]byte, 1<<20), nil))
	frame := func(f *wire.Frame) []byte {
		b, err := proto.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, x := range []struct {
		claim string
		frame []byte
		want  string
	}{
		{"nothing", nil, "no body"},
		{"a number instead of a body", []byte{8, 1}, "no body"},
		{"half a body", body(17)[:2], "breaks off"},
		{"two bodies", append(body(17), body(18)...), "after body 17"},
		{"a body of a later version", body(99), "does not know"},
		{"a greeting after the handshake", body(bodyGreeting), "no place here"},
		{"a compressed frame in another", body(bodyZstd, c.encoder.EncodeAll(body(bodyZstd), nil)...), "no place here"},
		{"compressed nonsense", body(bodyZstd, 1, 2, 3), "expand"},
		{"more than it may expand to", bomb, "expand"},
		{"an interval of nobody", body(bodyInterval), "interval of"},
		{"an entry that is none", frame(&wire.Frame{Body: &wire.Frame_Interval{Interval: &wire.Interval{Origin: 1, Through: 2, Entry: [][]byte{{1, 2}}}}}), "entries[0]"},
		{"an entry of another type", body(bodyInterval, 5<<3, 1), "field 5"},
		{"a row without a view", frame(&wire.Frame{Body: &wire.Frame_Chunk{Chunk: &wire.Chunk{Row: []*wire.Row{{Key: []byte{1}, Row: []byte{1}}}}}}), "rows[0]: view is 0"},
		{"a row without a key", frame(&wire.Frame{Body: &wire.Frame_Chunk{Chunk: &wire.Chunk{Row: []*wire.Row{{View: 1, Row: []byte{1}}}}}}), "rows[0]: key"},
		{"an empty row", frame(&wire.Frame{Body: &wire.Frame_Chunk{Chunk: &wire.Chunk{Row: []*wire.Row{{View: 1, Key: []byte{1}}}}}}), "rows[0]: row"},
		{"columns of different length", frame(&wire.Frame{Body: &wire.Frame_Follow{Follow: &wire.Follow{Shard: []uint32{1}}}}), "1 shards have 0"},
		{"a shard twice", frame(&wire.Frame{Body: &wire.Frame_Follow{Follow: &wire.Follow{Shard: []uint32{1, 1}, After: []uint64{2, 3}}}}), "twice"},
		{"a vector that breaks off", frame(&wire.Frame{Body: &wire.Frame_Status{Status: &wire.Status{Progress: &wire.Vectors{Shard: []uint32{1}, Positions: []uint32{1}}}}}), "breaks off"},
		{"positions of no shard", frame(&wire.Frame{Body: &wire.Frame_Status{Status: &wire.Status{Heads: &wire.Vectors{Origin: []uint32{1}, At: []uint64{1}}}}}), "of none"},
		{"too many rows compared", body(bodyAudited, bytes.Repeat(body(6, 8, 1, 18, 1, 1), replication.MaxAuditedRows+1)...), "more than 10000 rows"},
		{"a bucket that cannot be", frame(&wire.Frame{Body: &wire.Frame_Audit{Audit: &wire.Audit{Bucket: 257}}}), "bucket is 257"},
		{"sums of half the buckets", frame(&wire.Frame{Body: &wire.Frame_Audited{Audited: &wire.Audited{Sum: []uint64{1}}}}), "1 sums"},
		{"a question for no rows", frame(&wire.Frame{Body: &wire.Frame_ReadRows{ReadRows: &wire.ReadRows{}}}), "asks for 0 rows"},
		{"a question for a row without a view", frame(&wire.Frame{Body: &wire.Frame_ReadRows{ReadRows: &wire.ReadRows{Key: []*wire.RowKey{{Key: []byte{1}}}}}}), "keys[0]: view is 0"},
		{"more rows than can be asked for", frame(&wire.Frame{Body: &wire.Frame_RowsRead{RowsRead: &wire.RowsRead{Row: make([][]byte, replication.MaxReadKeys+1)}}}), "1025 rows"},
		{"a membership that is none", body(15, 10, 1, 99), "membership"},
	} {
		m, err := c.decode(x.frame)
		if !errors.Is(err, errMalformed) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %+v, %v, want a malformed message with %q", x.claim, m, err, x.want)
		}
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	for _, m := range []replication.Message{
		replication.Ping{ID: 7},
		replication.Interval{Interval: oplog.Interval{Origin: 1, Through: 7}},
	} {
		body, content, err := splitFrame(encoded(t, testCodec(t, 1<<10, false), m))
		if err != nil {
			t.Fatal(err)
		}
		later := protowire.AppendBytes(protowire.AppendTag(bytes.Clone(content), 500, protowire.BytesType), []byte("new"))
		got, err := decodeMessage(protowire.AppendBytes(protowire.AppendTag(nil, body, protowire.BytesType), later))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("got %v, %v, want %v", got, err, m)
		}
	}
}

func TestWhatNobodyCouldReadIsNotSent(t *testing.T) {
	c := testCodec(t, 1<<10, true)
	for _, x := range []struct {
		claim string
		m     replication.Message
		want  string
	}{
		{"no message", nil, "<nil>"},
		{"too large", replication.RegistryNews{Encoded: make([]byte, 1<<10)}, "at most 1024"},
		{"no document", replication.MembershipNews{}, "nil"},
		{"an interval that ends before it begins", replication.Interval{Interval: oplog.Interval{Origin: 1, After: 2, Through: 2}}, "interval"},
		{"text that is none", replication.Hello{Deployment: "\xff"}, "UTF-8"},
	} {
		_, err := c.encode(x.m)
		if !errors.Is(err, errUnsendable) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: got %v, want it unsendable with %q", x.claim, err, x.want)
		}
	}
}

func FuzzDecode(f *testing.F) { // N3
	c, err := newCodec(1<<20, 1, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.decoder.Close)
	for _, m := range goldenMessages(f) {
		f.Add(encoded(f, c, m.message))
	}
	f.Add(encoded(f, c, replication.RegistryNews{Encoded: make([]byte, 2000)}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := c.decode(bytes.Clone(frame))
		runtime.ReadMemStats(&after)
		// What one compressed frame may expand to, and a multiple of what came.
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(24*(1<<20)+200*len(frame)); got > most {
			t.Errorf("%d bytes had %d allocated, want %d at most", len(frame), got, most)
		}
		if err != nil {
			return
		}
		again, err := c.decode(encoded(t, c, m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v came back as %+v, %v", m, again, err)
		}
	})
}
