package peer

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"featurestore/meta"
	"featurestore/replication"
	"featurestore/replication/peer/wire"
)

// stream is what a handshake and a conversation need of a gRPC stream, of
// either side's.
type stream interface {
	SendMsg(m any) error
	RecvMsg(m any) error
}

// introduction is what a side brings to a handshake.
type introduction struct {
	codec *codec
	key   []byte
	own   replication.Hello
}

// dial introduces the dialer: greet, hear the other's greeting, prove, hear its
// proof. Nobody learns a proof before he has shown a greeting that fits.
func (in introduction) dial(s stream, want meta.StoreID) (replication.Hello, error) {
	dialed, err := in.greet(s)
	if err != nil {
		return replication.Hello{}, err
	}
	accepted, err := receiveFrame(s)
	if err != nil {
		return replication.Hello{}, err
	}
	theirs, err := readGreeting(accepted)
	if err != nil {
		return replication.Hello{}, err
	}
	if err := checkHello(in.own, theirs, want); err != nil {
		return replication.Hello{}, err
	}
	if err := in.prove(s, dialer, dialed, accepted); err != nil {
		return replication.Hello{}, err
	}
	return theirs, in.hearProof(s, acceptor, dialed, accepted)
}

// accept introduces the acceptor, which proves nothing to a stranger: the
// dialer proves first. Admit is called when it has. With an error comes what the
// stranger claims to be.
func (in introduction) accept(s stream, admit func()) (replication.Hello, error) {
	dialed, err := receiveFrame(s)
	if err != nil {
		return replication.Hello{}, err
	}
	theirs, err := readGreeting(dialed)
	if err != nil {
		return replication.Hello{}, err
	}
	if err := checkHello(in.own, theirs, ""); err != nil {
		return theirs, err
	}
	accepted, err := in.greet(s)
	if err != nil {
		return theirs, err
	}
	if err := in.hearProof(s, dialer, dialed, accepted); err != nil {
		return theirs, err
	}
	admit() // before the answer, after which the dialer sends what it likes
	return theirs, in.prove(s, acceptor, dialed, accepted)
}

// greet sends a greeting and returns its bytes.
func (in introduction) greet(s stream) ([]byte, error) {
	nonce := make([]byte, nonceBytes)
	rand.Read(nonce) // never fails
	frame, err := in.codec.encodeFrame(greetingFrame(in.own, nonce))
	if err != nil {
		return nil, fmt.Errorf("greet: %w", err)
	}
	sent := append([]byte(nil), frame.ReadOnlyData()...)
	return sent, sendFrame(s, frame)
}

func (in introduction) prove(s stream, as role, dialed, accepted []byte) error {
	frame, err := in.codec.encodeFrame(&wire.Frame{Body: &wire.Frame_Proof{Proof: proof(in.key, as, dialed, accepted)}})
	if err != nil {
		return fmt.Errorf("prove the secret: %w", err)
	}
	return sendFrame(s, frame)
}

func (in introduction) hearProof(s stream, of role, dialed, accepted []byte) error {
	frame, err := receiveFrame(s)
	if err != nil {
		return err
	}
	got, err := readProof(frame)
	if err != nil {
		return err
	}
	return checkProof(got, in.key, of, dialed, accepted)
}

// sendFrame sends a frame, which it takes over. A stream that has ended is no
// error here: receiving tells why.
func sendFrame(s stream, frame any) error {
	if err := s.SendMsg(frame); err != nil && !errors.Is(err, io.EOF) {
		return fromStatus(err)
	}
	return nil
}

func receiveFrame(s stream) ([]byte, error) {
	var frame []byte
	if err := s.RecvMsg(&frame); err != nil {
		return nil, fromStatus(err)
	}
	return frame, nil
}
