package oplog

import (
	"bytes"
	"errors"
	"testing"
)

// O1 and O2. The fuzzer does not find checksums, so it also gets one made.
func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, sample()))
	f.Add(Append(nil, Entry{Kind: Noop, At: 2, Origin: 1, Prev: 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		inputs := [][]byte{b}
		if len(b) >= sumBytes {
			inputs = append(inputs, reseal(bytes.Clone(b)))
		}
		for _, b := range inputs {
			e, err := Decode(b)
			if err != nil {
				if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
					t.Fatalf("%x: got %v, want ErrCorrupt or ErrFormat", b, err)
				}
				continue
			}
			if err := e.Validate(); err != nil {
				t.Fatalf("%x decodes to an invalid entry: %v", b, err)
			}
			if again := Append(nil, e); !bytes.Equal(again, b) {
				t.Fatalf("%x\nprints back as\n%x", b, again)
			}
		}
	})
}
