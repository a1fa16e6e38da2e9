package server

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"featurestore/api"
	"featurestore/feature"
)

// freeBytes is the size up to which a body is not counted against
// Limits.HeldBytes: counting each lookup would cost more than it protects.
const freeBytes = 16 << 10

// heldOf returns what a buffer counts against Limits.HeldBytes.
func heldOf(b []byte) int {
	if cap(b) <= freeBytes {
		return 0
	}
	return cap(b)
}

// readBody returns the body, decompressed, in valid UTF-8. It is in the
// request's buffer: valid until the handler returns. media lists what the
// route accepts; a body without a Content-Type is taken as the first.
func (r *request) readBody(media ...string) ([]byte, error) {
	h := r.Request().Header
	if err := checkMedia(h.Get("Content-Type"), media); err != nil {
		return nil, err
	}
	limit := r.server.cfg.Limits.BodyBytes
	if r.Request().ContentLength > int64(limit) {
		return nil, tooLarge(limit)
	}
	// A client that sends its body slowly must not hold the request for longer
	// than its time. net/http sets the connection's next deadline itself.
	_ = http.NewResponseController(r.Response()).SetReadDeadline(r.deadline()) // fails on no connection, where nothing is slow
	var src io.Reader = r.Request().Body
	switch encoding := h.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		// What does not shrink grows a little; members without content would
		// otherwise go on for ever.
		z, err := gzip.NewReader(io.LimitReader(src, int64(limit+limit>>8+1<<10)))
		if err != nil {
			return nil, api.Problemf(api.CodeInvalidRequest, "Content-Encoding", "the body is not gzip: %v", err)
		}
		src = z
	default:
		return nil, api.Problemf(api.CodeUnsupportedMediaType, "Content-Encoding", "%q is not accepted; send gzip or none", feature.Clip(encoding))
	}
	if err := r.fill(src, limit); err != nil {
		return nil, err
	}
	if !utf8.Valid(r.body) {
		code := api.CodeInvalidJSON
		if media[0] != api.MediaJSON {
			code = api.CodeInvalidRequest
		}
		return nil, api.Problemf(code, "", "the body is not valid UTF-8 at byte %d", firstInvalid(r.body))
	}
	return r.body, nil
}

// fill reads src to its end into the request's buffer. It stops one byte past
// the limit, whatever the sender declared or compressed.
func (r *request) fill(src io.Reader, limit int) error {
	if n := int(r.Request().ContentLength); n > 0 && n <= freeBytes && cap(r.body) <= n {
		r.body = make([]byte, 0, n+1) // one more, so that the end is seen without growing
	}
	for {
		if len(r.body) == cap(r.body) {
			if err := r.grow(); err != nil {
				return err
			}
		}
		n, err := src.Read(r.body[len(r.body):min(cap(r.body), limit+1)])
		r.body = r.body[:len(r.body)+n]
		switch {
		case len(r.body) > limit:
			return tooLarge(limit)
		case err == io.EOF:
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return api.Problemf(api.CodeInvalidRequest, "", "the body breaks off after %d bytes", len(r.body))
		case err != nil:
			return readFailed(err, len(r.body))
		}
	}
}

// grow doubles the buffer, counting what all requests hold (E3).
func (r *request) grow() error {
	s := r.server
	size := max(2*cap(r.body), 4<<10)
	larger := make([]byte, len(r.body), size)
	if held := s.held.Add(int64(heldOf(larger) - heldOf(r.body))); held > int64(s.cfg.Limits.HeldBytes) {
		s.held.Add(-int64(heldOf(larger) - heldOf(r.body)))
		return api.Problemf(api.CodeOverloaded, "", "requests in flight hold %d bytes of bodies already", s.cfg.Limits.HeldBytes)
	}
	copy(larger, r.body)
	r.body = larger
	return nil
}

func tooLarge(limit int) error {
	return api.Problemf(api.CodePayloadTooLarge, "", "the body is larger than %d bytes", limit)
}

func readFailed(err error, n int) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return api.Problemf(api.CodeDeadlineExceeded, "", "the body did not arrive in time: %d bytes of it came", n)
	}
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) {
		return api.Problemf(api.CodeInvalidRequest, "Content-Encoding", "the gzip body is damaged after %d bytes", n)
	}
	return fmt.Errorf("read body: %w", err)
}

// checkMedia refuses a body of another media type, naming those accepted.
func checkMedia(given string, accepted []string) error {
	if given == "" || slices.Contains(accepted, given) {
		return nil
	}
	media, params, err := mime.ParseMediaType(given)
	charset := strings.ToLower(params["charset"])
	if err == nil && slices.Contains(accepted, media) && (charset == "" || charset == "utf-8") {
		return nil
	}
	return api.Problemf(api.CodeUnsupportedMediaType, "Content-Type", "%q is not accepted here; send %s in UTF-8",
		feature.Clip(given), strings.Join(accepted, " or "))
}

// firstInvalid returns the offset of the first byte that is no UTF-8.
func firstInvalid(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}
