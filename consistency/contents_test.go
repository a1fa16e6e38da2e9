package consistency

import (
	"errors"
	"testing"

	"featurestore/feature"
	"featurestore/hlc"
)

func TestContentsOfATokenNeedNoSecret(t *testing.T) {
	signer, err := NewSigner([]byte("0123456789abcdef"), 3)
	if err != nil {
		t.Fatal(err)
	}
	var token Token
	want := ShardPosition{Shard: feature.Shard{Group: 1, Partition: 2}, Position: hlc.Position{Origin: 9, At: 1 << 40}}
	token.Note(want.Shard, want.Position)
	text := string(signer.Append(nil, &token))
	c, err := ReadContents(text)
	if err != nil || len(c.Positions) != 1 || c.Positions[0] != want || c.Incarnation != 3 {
		t.Errorf("got %+v, %v; want the position %+v of incarnation 3", c, err, want)
	}
	for _, bad := range []string{"", "x", text[:len(text)-30], text[1:], string(make([]byte, MaxTokenBytes+1))} {
		if _, err := ReadContents(bad); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("%.20q: got %v, want ErrTokenInvalid", bad, err)
		}
	}
}
