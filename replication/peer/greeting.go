package peer

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"featurestore/meta"
	"featurestore/replication"
	"featurestore/replication/peer/wire"
)

// format is the only one this version speaks (see Greeting in peer.proto).
const format = 1

// nonceBytes make a greeting that was never sent before.
const nonceBytes = 32

// errSecret reports a peer that does not hold this deployment's secret.
var errSecret = fmt.Errorf("%w: it holds another secret", replication.ErrForeign)

// errFormat reports a peer that speaks another format.
var errFormat = fmt.Errorf("%w: it speaks another format", replication.ErrForeign)

// A role is what one side of a conversation is. It is part of what the side
// proves, so that nobody can answer with a proof that was made for him.
type role string

const (
	dialer   role = "dialer"
	acceptor role = "acceptor"
)

// deriveKey returns the key of proofs. The secret has other uses, and none of
// them can be mistaken for a proof.
func deriveKey(secret []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, nil, "featurestore peer 1", sha256.Size)
}

// proof shows that a side holds the key, for one conversation only: it covers
// both greetings, as they were on the wire, with both stores and both nonces.
func proof(key []byte, of role, dialed, accepted []byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range [][]byte{[]byte(of), dialed, accepted} {
		mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// checkProof returns errSecret unless got is the proof of a side.
func checkProof(got, key []byte, of role, dialed, accepted []byte) error {
	if !hmac.Equal(got, proof(key, of, dialed, accepted)) {
		return errSecret
	}
	return nil
}

func greetingFrame(h replication.Hello, nonce []byte) *wire.Frame {
	return &wire.Frame{Body: &wire.Frame_Greeting{Greeting: &wire.Greeting{Format: format, Nonce: nonce, Hello: wireHello(h)}}}
}

// readGreeting returns the hello of a greeting in this version's format.
func readGreeting(frame []byte) (replication.Hello, error) {
	f := new(wire.Frame)
	if err := proto.Unmarshal(frame, f); err != nil {
		return replication.Hello{}, fmt.Errorf("%w: greeting: %w", errMalformed, err)
	}
	g := f.GetGreeting()
	switch {
	case g == nil:
		return replication.Hello{}, fmt.Errorf("%w: want a greeting first", errMalformed)
	case g.Format != format:
		return replication.Hello{}, fmt.Errorf("%w: its format is %d, this store's is %d", errFormat, g.Format, format)
	case len(g.Nonce) != nonceBytes:
		return replication.Hello{}, fmt.Errorf("%w: nonce has %d bytes, want %d", errMalformed, len(g.Nonce), nonceBytes)
	}
	return helloOf(g.Hello)
}

// readProof returns the proof in a frame.
func readProof(frame []byte) ([]byte, error) {
	body, content, err := splitFrame(frame)
	if err == nil && body != bodyProof {
		err = fmt.Errorf("%w: body is %d, want the proof, %d", errMalformed, body, bodyProof)
	}
	return content, err
}

// checkHello returns what keeps two stores apart, nil when they belong
// together. Want is the store that was dialed, "" for any. Errors match
// replication.ErrForeign.
func checkHello(own, theirs replication.Hello, want meta.StoreID) error {
	var err error
	id := theirs.Member.Store
	switch {
	case theirs.Deployment != own.Deployment:
		err = fmt.Errorf("its deployment is %q, this store's is %q: stores of one deployment share one secret", theirs.Deployment, own.Deployment)
	case theirs.Incarnation != own.Incarnation:
		err = fmt.Errorf("its incarnation is %d, this store's is %d", theirs.Incarnation, own.Incarnation)
	case id == "":
		err = errors.New("it has no store id")
	case id == own.Member.Store:
		err = fmt.Errorf("its store id is %q, as this store's: each needs its own", id)
	case want != "" && id != want:
		err = fmt.Errorf("its store id is %q, and %q was dialed", id, want)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", replication.ErrForeign, err)
	}
	return nil
}
