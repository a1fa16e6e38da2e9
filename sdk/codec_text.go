package sdk

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"time"
	"unsafe"

	"featurestore/api"
	"featurestore/feature"
)

func stringCodec(t reflect.Type) *codec {
	return &codec{typ: t, holds: scalars(feature.String, feature.UUID, feature.Decimal),
		read: func(s *api.Scanner, p unsafe.Pointer) error {
			*(*string)(p) = string(s.Text())
			return s.Err()
		},
		write: func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			v, err := feature.OfString(*(*string)(p)) // refuses what is not UTF-8
			return api.AppendValue(dst, v), err
		},
	}
}

func decimalCodec(t reflect.Type) *codec {
	c := stringCodec(t)
	c.holds = scalars(feature.Decimal)
	c.write = func(dst []byte, p unsafe.Pointer) ([]byte, error) {
		v, err := feature.ParseDecimal(*(*string)(p))
		if err != nil {
			return dst, err
		}
		return api.AppendValue(dst, v), nil
	}
	return c
}

func bytesCodec(t reflect.Type) *codec {
	return &codec{typ: t, holds: scalars(feature.Bytes),
		read: func(s *api.Scanner, p unsafe.Pointer) error {
			raw := s.Text()
			if s.Err() != nil {
				return s.Err()
			}
			b, err := base64.StdEncoding.AppendDecode([]byte{}, raw)
			if err != nil {
				return wrong(raw, "bytes in standard base64")
			}
			*(*[]byte)(p) = b
			return nil
		},
		write: func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			dst = base64.StdEncoding.AppendEncode(append(dst, '"'), *(*[]byte)(p))
			return append(dst, '"'), nil
		},
		isNil: func(p unsafe.Pointer) bool { return *(*[]byte)(p) == nil },
	}
}

func timeCodec(t reflect.Type) *codec {
	return &codec{typ: t, holds: scalars(feature.Timestamp),
		read: func(s *api.Scanner, p unsafe.Pointer) error {
			at, err := readTime(s)
			*(*time.Time)(p) = at
			return err
		},
		write: func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			ns, err := feature.Nanos(*(*time.Time)(p))
			return api.AppendTime(dst, ns), err
		},
	}
}

// readTime takes an RFC 3339 time and returns it in UTC.
func readTime(s *api.Scanner) (time.Time, error) {
	raw := s.Text()
	if s.Err() != nil {
		return time.Time{}, s.Err()
	}
	return parseTime(raw)
}

func parseTime(raw []byte) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text(raw))
	if err != nil {
		return time.Time{}, wrong(raw, "a time in RFC 3339")
	}
	return at.UTC(), nil
}

func uuidCodec(t reflect.Type) *codec {
	return &codec{typ: t, holds: scalars(feature.UUID),
		read: func(s *api.Scanner, p unsafe.Pointer) error {
			raw := s.Text()
			if s.Err() != nil {
				return s.Err()
			}
			v, err := feature.ParseUUID(text(raw))
			if err == nil {
				copy((*[16]byte)(p)[:], v.Text())
			}
			return err
		},
		write: func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			return api.AppendValue(dst, feature.OfUUID(*(*[16]byte)(p))), nil
		},
	}
}

// textCodec serves types of the caller's, such as big decimals.
func textCodec(t reflect.Type) *codec {
	return &codec{typ: t, holds: scalars(feature.String, feature.UUID, feature.Decimal),
		read: func(s *api.Scanner, p unsafe.Pointer) error {
			raw := s.Text()
			if s.Err() != nil {
				return s.Err()
			}
			return reflect.NewAt(t, p).Interface().(encoding.TextUnmarshaler).UnmarshalText(raw)
		},
		write: func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			b, err := reflect.NewAt(t, p).Interface().(encoding.TextMarshaler).MarshalText()
			return api.AppendString(dst, string(b)), err
		},
	}
}

func rawCodec(t reflect.Type) *codec {
	return &codec{typ: t, holds: scalars(feature.JSON),
		read: func(s *api.Scanner, p unsafe.Pointer) error {
			*(*json.RawMessage)(p) = append(json.RawMessage(nil), s.Raw()...)
			return s.Err()
		},
		write: func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			raw := *(*json.RawMessage)(p)
			if !json.Valid(raw) {
				return dst, wrong(raw, "one JSON document")
			}
			return append(dst, raw...), nil
		},
		isNil: func(p unsafe.Pointer) bool { return *(*json.RawMessage)(p) == nil },
	}
}

// documentCodec serves json features in maps and structs of the caller's.
func documentCodec(t reflect.Type) *codec {
	c := &codec{typ: t, holds: scalars(feature.JSON),
		read: func(s *api.Scanner, p unsafe.Pointer) error {
			return errors.Join(s.Err(), json.Unmarshal(s.Raw(), reflect.NewAt(t, p).Interface()))
		},
		write: func(dst []byte, p unsafe.Pointer) ([]byte, error) {
			b, err := json.Marshal(reflect.NewAt(t, p).Interface())
			return append(dst, b...), err
		},
	}
	if k := t.Kind(); k == reflect.Map || k == reflect.Interface {
		c.isNil = func(p unsafe.Pointer) bool { return reflect.NewAt(t, p).Elem().IsNil() }
	}
	return c
}
