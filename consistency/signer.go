package consistency

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"strings"
	"sync"

	"featurestore/feature"
	"featurestore/hlc"
)

// Encoding of a token, before base64url without padding:
//
//	u8 version | u8 key | u32 deployment | u32 incarnation | u64 base (latest time)
//	uvarint revision
//	uvarint n x { uvarint group | uvarint base-at }                        floors
//	uvarint n x { uvarint group | uvarint partition | uvarint origin
//	              | uvarint base-at }                                      positions
//	16 bytes HMAC-SHA256 of all before, truncated
//
// Fixed-width integers are big endian.
const (
	tokenVersion  = 1
	tokenHead     = 1 + 1 + 4 + 4 + 8
	tokenMAC      = 16
	MaxTokenBytes = 2048 // of the text form
)

// strict reads each token in one spelling only.
var strict = base64.RawURLEncoding.Strict()

// Signer turns tokens into text that only this deployment can make, and back.
// It is safe for concurrent use.
type Signer struct {
	deployment  uint32
	incarnation uint32
	key         byte
	macs        sync.Pool
}

// MinSecretBytes is the least length of a deployment's secret.
const MinSecretBytes = 16

// NewSigner returns the signer of a deployment. The secret is shared by its
// stores. The incarnation rises when a deployment is restored from a backup, so
// that tokens from before are refused.
func NewSigner(secret []byte, incarnation uint32) (*Signer, error) {
	if len(secret) < MinSecretBytes {
		return nil, fmt.Errorf("secret of %d bytes; at least %d", len(secret), MinSecretBytes)
	}
	// Independent values from one secret: what is told in the open (deployment,
	// key) reveals nothing of the signing key.
	identity := hmac.New(sha256.New, secret)
	identity.Write([]byte("featurestore deployment"))
	id := identity.Sum(nil)
	signing := hmac.New(sha256.New, secret)
	signing.Write([]byte("featurestore session tokens"))
	key := signing.Sum(nil)
	return &Signer{
		deployment: binary.BigEndian.Uint32(id), incarnation: incarnation, key: id[4],
		macs: sync.Pool{New: func() any { return &signature{mac: hmac.New(sha256.New, key)} }},
	}, nil
}

// Append appends the text form of t to dst; an empty token appends nothing.
func (s *Signer) Append(dst []byte, t *Token) []byte {
	if t.IsEmpty() {
		return dst
	}
	m := s.macs.Get().(*signature)
	defer s.macs.Put(m)
	m.raw = s.appendRaw(m.raw[:0], t)
	m.raw = append(m.raw, m.sign(m.raw)...)
	return base64.RawURLEncoding.AppendEncode(dst, m.raw)
}

func (s *Signer) appendRaw(b []byte, t *Token) []byte {
	base := t.Latest()
	b = append(b, tokenVersion, s.key)
	b = binary.BigEndian.AppendUint32(b, s.deployment)
	b = binary.BigEndian.AppendUint32(b, s.incarnation)
	b = binary.BigEndian.AppendUint64(b, uint64(base))
	b = binary.AppendUvarint(b, t.Revision)
	b = binary.AppendUvarint(b, uint64(len(t.floors)))
	for _, f := range t.floors {
		b = binary.AppendUvarint(b, uint64(f.group))
		b = binary.AppendUvarint(b, uint64(base-f.at))
	}
	b = binary.AppendUvarint(b, uint64(len(t.positions)))
	for _, p := range t.positions {
		b = binary.AppendUvarint(b, uint64(p.shard.Group))
		b = binary.AppendUvarint(b, uint64(p.shard.Partition))
		b = binary.AppendUvarint(b, uint64(p.Origin))
		b = binary.AppendUvarint(b, uint64(base-p.At))
	}
	return b
}

// Decode reads the text form of one token. Errors match ErrTokenInvalid.
func (s *Signer) Decode(text string) (Token, error) {
	if len(text) > MaxTokenBytes {
		return Token{}, invalidToken("%d bytes long; at most %d", len(text), MaxTokenBytes)
	}
	raw, err := strict.DecodeString(text)
	if err != nil || len(raw) < tokenHead+tokenMAC {
		return Token{}, invalidToken("it is not a token, or was cut short")
	}
	if raw[0] != tokenVersion {
		return Token{}, invalidToken("version %d, this store reads %d", raw[0], tokenVersion)
	}
	body, mac := raw[:len(raw)-tokenMAC], raw[len(raw)-tokenMAC:]
	if raw[1] != s.key || binary.BigEndian.Uint32(raw[2:]) != s.deployment {
		return Token{}, invalidToken("another deployment made it")
	}
	if got := binary.BigEndian.Uint32(raw[6:]); got != s.incarnation {
		return Token{}, invalidToken("it is from incarnation %d of the deployment, now %d; start a new session", got, s.incarnation)
	}
	if !s.isSigned(body, mac) {
		return Token{}, invalidToken("its signature is wrong")
	}
	return decodeBody(body)
}

// DecodeAll reads and merges a comma-separated list of tokens, as several
// sessions may meet in one request. Empty text is the empty token.
func (s *Signer) DecodeAll(text string) (Token, error) {
	switch {
	case text == "":
		return Token{}, nil
	case !strings.ContainsAny(text, ", \t"): // one, as nearly always
		return s.Decode(text)
	}
	var merged Token
	n := 0
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		if n++; n > MaxTokens {
			return Token{}, invalidToken("more than %d tokens in one request", MaxTokens)
		}
		t, err := s.Decode(item)
		if err != nil {
			return Token{}, err
		}
		merged.Merge(t)
	}
	return merged, nil
}

// signature is the space of one signature, used again and again.
type signature struct {
	mac hash.Hash
	raw []byte // a body
	sum []byte
}

// sign returns the signature of body, valid until the next.
func (m *signature) sign(body []byte) []byte {
	m.mac.Reset()
	m.mac.Write(body)
	m.sum = m.mac.Sum(m.sum[:0])
	return m.sum[:tokenMAC]
}

// isSigned reports whether sum is the signature of body.
func (s *Signer) isSigned(body, sum []byte) bool {
	m := s.macs.Get().(*signature)
	defer s.macs.Put(m)
	return hmac.Equal(sum, m.sign(body))
}

// decodeBody reads what stands before the signature. It refuses what appendRaw
// would not have written, so that a decoder fault cannot pass unseen.
func decodeBody(raw []byte) (Token, error) {
	d := tokenReader{rest: raw[tokenHead:], base: binary.BigEndian.Uint64(raw[10:])}
	t := Token{Revision: d.uvarint(math.MaxUint64)}
	for range d.count(2) {
		f := floor{group: feature.GroupID(d.uvarint(math.MaxUint16)), at: d.timestamp()}
		if n := len(t.floors); n > 0 && t.floors[n-1].group >= f.group {
			d.fail()
		}
		t.floors = append(t.floors, f)
	}
	n := d.count(4)
	if n > 0 {
		t.positions = make([]positionIn, 0, min(n, MaxPositions))
	}
	for range n {
		p := positionIn{shard: feature.Shard{
			Group:     feature.GroupID(d.uvarint(math.MaxUint16)),
			Partition: uint16(d.uvarint(math.MaxUint16)),
		}}
		p.Origin, p.At = hlc.Origin(d.uvarint(math.MaxUint32)), d.timestamp()
		if n := len(t.positions); n > 0 && comparePositions(t.positions[n-1], p) >= 0 {
			d.fail()
		}
		t.positions = append(t.positions, p)
	}
	if d.failed || len(d.rest) > 0 || len(t.positions) > MaxPositions || t.Latest() != hlc.Timestamp(d.base) {
		return Token{}, invalidToken("its body is damaged")
	}
	return t, nil
}

// tokenReader reads the body; after a failure it returns zeros.
type tokenReader struct {
	rest   []byte
	base   uint64
	failed bool
}

func (d *tokenReader) fail() { d.failed, d.rest = true, nil }

func (d *tokenReader) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > limit || n > 1 && d.rest[n-1] == 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count reads how many items of at least size bytes follow.
func (d *tokenReader) count(size int) uint64 {
	return d.uvarint(uint64(len(d.rest) / size))
}

func (d *tokenReader) timestamp() hlc.Timestamp {
	return hlc.Timestamp(d.base - d.uvarint(d.base))
}
