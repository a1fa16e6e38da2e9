package consistency

import (
	"encoding/base64"
	"encoding/binary"

	"featurestore/feature"
	"featurestore/hlc"
)

// Contents is what the text of a token says, for people to look at.
type Contents struct {
	// Deployment and Key identify the secret that signed it, if it is genuine.
	Deployment uint32
	Key        byte
	// Incarnation is that of the deployment when it was made.
	Incarnation uint32
	Revision    uint64
	Floors      []GroupFloor
	Positions   []ShardPosition
}

// GroupFloor stands for every origin of a group up to a time.
type GroupFloor struct {
	Group feature.GroupID
	At    hlc.Timestamp
}

// ShardPosition is a position of one shard's log.
type ShardPosition struct {
	Shard    feature.Shard
	Position hlc.Position
}

// ReadContents reads a token without the secret, so it cannot tell whether the
// token is genuine: for showing only, never for deciding. Errors match
// ErrTokenInvalid.
func ReadContents(text string) (Contents, error) {
	if len(text) > MaxTokenBytes {
		return Contents{}, invalidToken("%d bytes long; at most %d", len(text), MaxTokenBytes)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < tokenHead+tokenMAC {
		return Contents{}, invalidToken("it is not a token, or was cut short")
	}
	if raw[0] != tokenVersion {
		return Contents{}, invalidToken("version %d, this program reads %d", raw[0], tokenVersion)
	}
	t, err := decodeBody(raw[:len(raw)-tokenMAC])
	if err != nil {
		return Contents{}, err
	}
	c := Contents{
		Key: raw[1], Deployment: binary.BigEndian.Uint32(raw[2:]), Incarnation: binary.BigEndian.Uint32(raw[6:]), Revision: t.Revision,
	}
	for _, f := range t.floors {
		c.Floors = append(c.Floors, GroupFloor{Group: f.group, At: f.at})
	}
	for _, p := range t.positions {
		c.Positions = append(c.Positions, ShardPosition{Shard: p.shard, Position: p.Position})
	}
	return c, nil
}
