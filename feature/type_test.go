package feature

import (
	"strings"
	"testing"
)

func TestTypesPrintAsTheyParse(t *testing.T) {
	var all []Type
	for k := Bytes; k < kindEnd; k++ {
		all = append(all, ScalarOf(k), ListOf(k))
	}
	for _, want := range append(all, VectorOf(1), VectorOf(128), VectorOf(MaxVectorDim)) {
		if got, err := ParseType(want.String()); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", want.String(), got, err, want)
		}
	}
}

// What definitions write, and what is stored: names and numbers must not change.
func TestKindsGolden(t *testing.T) {
	for want, k := range []Kind{Null, Bytes, String, Int32, Int64, Float32, Float64, Bool, Timestamp, UUID, Decimal, JSON} {
		if int(k) != want {
			t.Errorf("%v is %d, want %d", k, k, want)
		}
	}
	names := "null bytes string int32 int64 float32 float64 bool timestamp uuid decimal json"
	if got := strings.Join(kindNames[:], " "); got != names {
		t.Errorf("got %s, want %s", got, names)
	}
	if Scalar != 0 || List != 1 || Vector != 2 {
		t.Error("shapes were renumbered")
	}
}

func TestParseTypeForgivesSpaces(t *testing.T) {
	for in, want := range map[string]Type{
		" int64 ":                 ScalarOf(Int64),
		"list< string >":          ListOf(String),
		"list <string>":           ListOf(String),
		"vector< float32 , 128 >": VectorOf(128),
	} {
		if got, err := ParseType(in); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", in, got, err, want)
		}
	}
}

func TestParseTypeSaysWhatWouldBeRight(t *testing.T) {
	const kinds, vector = "use one of bytes, string,", "vector<float32,N> with 1 <= N <= 65536"
	for in, want := range map[string]string{
		"":                                  kinds,
		"int":                               kinds,
		"INT64":                             kinds,
		"int 64":                            kinds,
		"null":                              kinds,
		"list":                              kinds,
		"list<>":                            kinds,
		"list<null>":                        kinds,
		"list<list<int64>>":                 kinds,
		"list<int64":                        kinds,
		"lists<int64>":                      kinds,
		"vector<float32>":                   vector,
		"vector<float32,0>":                 vector,
		"vector<float32,-1>":                vector,
		"vector<float32,+1>":                vector,
		"vector<float32,01>":                vector,
		"vector<float32,65537>":             vector,
		"vector<float32,1e3>":               vector,
		"vector<float32,99999999999999999>": vector,
		"vector<float64,3>":                 vector,
		strings.Repeat("x", 1_000_000):      kinds,
	} {
		_, err := ParseType(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want an error with %q", in, err, want)
		} else if len(err.Error()) > 400 {
			t.Errorf("%.40q: the error has %d bytes", in, len(err.Error()))
		}
	}
}
