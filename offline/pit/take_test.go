package pit

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"pgregory.net/rapid"
)

// takeTypes have values that drawArray can build.
var takeTypes = []arrow.DataType{
	arrow.Null, arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32,
	arrow.PrimitiveTypes.Int64, arrow.FixedWidthTypes.Timestamp_us, arrow.BinaryTypes.String, arrow.BinaryTypes.LargeBinary,
	&arrow.FixedSizeBinaryType{ByteWidth: 3}, &arrow.Decimal128Type{Precision: 20, Scale: 2},
	arrow.ListOf(arrow.PrimitiveTypes.Int8), arrow.ListOf(arrow.BinaryTypes.String), arrow.ListOf(arrow.ListOf(arrow.FixedWidthTypes.Boolean)),
	arrow.LargeListOf(arrow.PrimitiveTypes.Int32), arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int16),
	arrow.StructOf(arrow.Field{Name: "a", Type: arrow.BinaryTypes.String, Nullable: true}, arrow.Field{Name: "b", Type: arrow.PrimitiveTypes.Int64, Nullable: true}),
}

// drawValue appends a random value.
func drawValue(t *rapid.T, b array.Builder) {
	if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
		b.AppendNull()
		return
	}
	n := rapid.IntRange(0, 99).Draw(t, "n")
	switch b := b.(type) {
	case *array.NullBuilder:
		b.AppendNull()
	case *array.BooleanBuilder:
		b.Append(n%2 == 0)
	case *array.Int8Builder:
		b.Append(int8(n))
	case *array.Int16Builder:
		b.Append(int16(n))
	case *array.Int32Builder:
		b.Append(int32(n))
	case *array.Int64Builder:
		b.Append(int64(n))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(n))
	case *array.StringBuilder:
		b.Append(fmt.Sprintf("text%02d", n)[:n%7])
	case *array.BinaryBuilder:
		b.Append([]byte(fmt.Sprint("bytes", n)))
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte(fmt.Sprintf("%03d", n)))
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(int64(n)))
	case *array.MapBuilder:
		b.Append(true)
		for i := range n % 3 {
			b.KeyBuilder().(*array.StringBuilder).Append(fmt.Sprint(i))
			drawValue(t, b.ItemBuilder())
		}
	case array.ListLikeBuilder:
		b.Append(true)
		for range n % 4 {
			drawValue(t, b.ValueBuilder())
		}
	case *array.StructBuilder:
		b.Append(true)
		for i := range b.NumField() {
			drawValue(t, b.FieldBuilder(i))
		}
	default:
		panic(fmt.Sprintf("no test draws %T", b))
	}
}

// take gives the values that its spans name, of any type, from slices too.
func TestTakeTakesWhatSpansName(t *testing.T) {
	for _, dt := range takeTypes {
		t.Run(dt.String(), func(t *testing.T) {
			if err := checkTakable(dt); err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) {
				mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
				var arrays []arrow.Array
				for range rapid.IntRange(0, 3).Draw(t, "arrays") {
					b := array.NewBuilder(memory.DefaultAllocator, dt)
					for range rapid.IntRange(1, 10).Draw(t, "values") {
						drawValue(t, b)
					}
					a := b.NewArray()
					first := rapid.IntRange(0, a.Len()).Draw(t, "first")
					arrays = append(arrays, array.NewSlice(a, int64(first), int64(rapid.IntRange(first, a.Len()).Draw(t, "end"))))
				}
				var spans []span
				var want []string
				for range rapid.IntRange(0, 8).Draw(t, "spans") {
					i := rapid.IntRange(-1, len(arrays)-1).Draw(t, "array")
					if i < 0 {
						spans, want = append(spans, span{array: -1, length: 2}), append(want, array.NullValueStr, array.NullValueStr)
						continue
					}
					start := rapid.IntRange(0, arrays[i].Len()).Draw(t, "start")
					end := rapid.IntRange(start, arrays[i].Len()).Draw(t, "stop")
					spans = append(spans, span{array: int32(i), start: int64(start), length: int32(end - start)})
					for k := start; k < end; k++ {
						want = append(want, arrays[i].ValueStr(k))
					}
				}
				got, err := take(mem, dt, arrays, spans)
				if err != nil {
					t.Fatalf("take: %v", err)
				}
				if got.Len() != len(want) {
					t.Fatalf("got %d values, want %d", got.Len(), len(want))
				}
				for i := range want {
					if got.ValueStr(i) != want[i] || dt.ID() != arrow.NULL && got.IsNull(i) != (want[i] == array.NullValueStr) {
						t.Fatalf("value %d: got %s, want %s", i, got.ValueStr(i), want[i])
					}
				}
				dirty, err := take(dirtyAllocator{memory.NewGoAllocator()}, dt, arrays, spans)
				if err != nil {
					t.Fatalf("take: %v", err)
				}
				wantSameBytes(t, got.Data(), dirty.Data())
				got.Release()
				mem.AssertSize(t, 0)
			})
		})
	}
}

// dirtyAllocator gives memory that is not zero.
type dirtyAllocator struct{ memory.Allocator }

func (d dirtyAllocator) Allocate(size int) []byte { return dirt(d.Allocator.Allocate(size), 0) }

func (d dirtyAllocator) Reallocate(size int, b []byte) []byte {
	return dirt(d.Allocator.Reallocate(size, b), len(b))
}

func dirt(b []byte, from int) []byte {
	for i := from; i < len(b); i++ {
		b[i] = 0xa5
	}
	return b
}

// wantSameBytes compares buffers up to their length, those of nulls too: B5.
func wantSameBytes(t *rapid.T, a, b arrow.ArrayData) {
	for i, buffer := range a.Buffers() {
		switch other := b.Buffers()[i]; {
		case (buffer == nil) != (other == nil):
			t.Fatalf("buffer %d is there once only", i)
		case buffer != nil && !bytes.Equal(buffer.Bytes(), other.Bytes()):
			t.Fatalf("buffer %d has the bytes %x and %x, depending on the memory it is made in", i, buffer.Bytes(), other.Bytes())
		}
	}
	for i, child := range a.Children() {
		wantSameBytes(t, child, b.Children()[i])
	}
}

func TestTypesThatCannotBeTaken(t *testing.T) {
	for _, dt := range []arrow.DataType{
		arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32), arrow.ListOf(arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32)),
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, arrow.BinaryTypes.StringView,
		arrow.RunEndEncodedOf(arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int32),
	} {
		if checkTakable(dt) == nil {
			t.Errorf("%s: got no error", dt)
		}
	}
}

// Offsets of 32 bits are never wrapped around.
func TestTakeOfTooMuchText(t *testing.T) {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.Append(string(make([]byte, 1<<20)))
	a := b.NewArray()
	if _, err := take(memory.DefaultAllocator, a.DataType(), []arrow.Array{a}, repeat(span{length: 1}, 2048)); !errors.Is(err, errTakeTooLarge) {
		t.Errorf("2 GiB of text: got %v, want %v", err, errTakeTooLarge)
	}
}

func repeat(s span, n int) []span {
	spans := make([]span, n)
	for i := range spans {
		spans[i] = s
	}
	return spans
}

func TestSortByNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type item struct{ number, place int64 }
		spread := rapid.SampledFrom([]int64{1, 300, 1 << 40, 1<<63 - 1}).Draw(t, "spread")
		var items []item
		for i := range rapid.IntRange(1, 700).Draw(t, "items") {
			items = append(items, item{rapid.Int64Range(-spread, spread).Draw(t, "number"), int64(i)})
		}
		sortByNumber(items, nil, func(i item) int64 { return i.number })
		for i := 1; i < len(items); i++ {
			if a, b := items[i-1], items[i]; a.number > b.number || a.number == b.number && a.place >= b.place {
				t.Fatalf("%v stands before %v", a, b)
			}
		}
	})
}
