package consistency

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"

	"pgregory.net/rapid"
)

func newSigner(t testing.TB, secret string, incarnation uint32) *Signer {
	t.Helper()
	s, err := NewSigner([]byte(secret), incarnation)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const secret = "sixteen bytes or more"

type noted struct {
	shard feature.Shard
	hlc.Position
}

func drawNoted(t *rapid.T) noted {
	return noted{
		shard: feature.Shard{
			Group:     feature.GroupID(rapid.IntRange(1, 30).Draw(t, "group")),
			Partition: uint16(rapid.IntRange(0, 3).Draw(t, "partition")),
		},
		Position: hlc.Position{
			Origin: hlc.Origin(rapid.Uint32Range(1, 5).Draw(t, "origin")),
			At:     hlc.Timestamp(rapid.Uint64Range(0, 1<<62).Draw(t, "at")),
		},
	}
}

// Whatever was noted stays implied: by a position as great, or by a floor.
func TestTokenNeverForgets(t *testing.T) {
	s := newSigner(t, secret, 1)
	rapid.Check(t, func(t *rapid.T) {
		var tokens [2]Token
		all := rapid.SliceOfN(rapid.Custom(drawNoted), 0, 200).Draw(t, "noted")
		for i, n := range all {
			tokens[i%2].Note(n.shard, n.Position)
		}
		tokens[0].Merge(tokens[1])
		text := s.Append(nil, &tokens[0])
		if len(text) > MaxTokenBytes {
			t.Fatalf("token of %d bytes, at most %d", len(text), MaxTokenBytes)
		}
		back, err := s.DecodeAll(string(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			at := back.Floor(n.shard.Group)
			back.Positions(n.shard, func(p hlc.Position) bool {
				if p.Origin == n.Origin {
					at = max(at, p.At)
				}
				return true
			})
			if at < n.At {
				t.Fatalf("noted %v in %v, the token implies only %v", n.Position, n.shard, at)
			}
		}
	})
}

func TestLargestTokenFits(t *testing.T) {
	s := newSigner(t, secret, math.MaxUint32)
	token := Token{Revision: math.MaxUint64}
	for g := range maxFloors {
		token.raiseFloor(floor{group: feature.GroupID(math.MaxUint16 - g), at: 1})
	}
	for i := range MaxPositions {
		token.Note(feature.Shard{Group: uint16ID(math.MaxUint16 - i), Partition: math.MaxUint16},
			hlc.Position{Origin: math.MaxUint32, At: hlc.New(int64(1<<45+i), 0)})
	}
	if n := len(s.Append(nil, &token)); n > MaxTokenBytes {
		t.Errorf("token of %d bytes, at most %d", n, MaxTokenBytes)
	}
}

func uint16ID(n int) feature.GroupID { return feature.GroupID(n) }

func TestTokenOfAnotherDeploymentIsRefused(t *testing.T) {
	var token Token
	token.Note(feature.Shard{Group: 1}, hlc.Position{Origin: 7, At: hlc.New(1_800_000_000_000, 3)})
	text := string(newSigner(t, secret, 1).Append(nil, &token))
	for _, tt := range []struct {
		signer *Signer
		text   string
		says   string
	}{
		{newSigner(t, "another secret of the right size", 1), text, "another deployment"},
		{newSigner(t, secret, 2), text, "incarnation 1"},
		{newSigner(t, secret, 1), text[:len(text)-2], "cut short"},
		{newSigner(t, secret, 1), "", ""},
		{newSigner(t, secret, 1), "not a token", "not a token"},
		{newSigner(t, secret, 1), strings.Repeat("A", MaxTokenBytes+1), "at most 2048"},
		{newSigner(t, secret, 1), strings.Repeat(text+",", 9), "more than 8 tokens"},
	} {
		_, err := tt.signer.DecodeAll(tt.text)
		if tt.says == "" {
			if err != nil {
				t.Errorf("empty text: %v", err)
			}
			continue
		}
		if !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("%.20q: got %v, want ErrTokenInvalid", tt.text, err)
		}
		if !strings.Contains(err.Error(), tt.says) && !strings.Contains(err.Error(), "signature") {
			t.Errorf("%.20q: got %v, want it to say %q", tt.text, err, tt.says)
		}
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	s := newSigner(t, secret, 1)
	var token Token
	token.Note(feature.Shard{Group: 1, Partition: 2}, hlc.Position{Origin: 7, At: hlc.New(1_800_000_000_000, 3)})
	token.Note(feature.Shard{Group: 3}, hlc.Position{Origin: 9, At: hlc.New(1_800_000_000_500, 0)})
	text := s.Append(nil, &token)
	for i := range text {
		for bit := range 8 {
			forged := bytes.Clone(text)
			forged[i] ^= 1 << bit
			if _, err := s.Decode(string(forged)); err == nil {
				t.Fatalf("bit %d of byte %d flipped and not found", bit, i)
			}
		}
	}
}

func FuzzDecodeToken(f *testing.F) {
	s := newSigner(f, secret, 1)
	var token Token
	token.Note(feature.Shard{Group: 1}, hlc.Position{Origin: 7, At: hlc.New(1_800_000_000_000, 3)})
	token.raiseFloor(floor{group: 2, at: 99})
	f.Add(s.appendRaw(nil, &token))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _ = s.Decode(string(raw)) // must not panic
		if len(raw) < tokenHead {
			return
		}
		got, err := decodeBody(raw) // what a wrong signature normally hides
		if err != nil {
			return
		}
		if again := s.appendRaw(nil, &got); !bytes.Equal(again[tokenHead:], raw[tokenHead:]) {
			t.Fatalf("read %x, prints %x", raw, again)
		}
	})
}

func BenchmarkToken(b *testing.B) {
	s := newSigner(b, secret, 1)
	var token Token
	token.Note(feature.Shard{Group: 1}, hlc.Position{Origin: 7, At: hlc.New(1_800_000_000_000, 3)})
	text := string(s.Append(nil, &token))
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf = s.Append(buf[:0], &token)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Decode(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
