package history

import "github.com/apache/arrow/go/v17/parquet/compress"

// oneEncoder is the library's zstd without a new encoder, of megabytes, for each
// page: small files are most of what an ingester writes. The codecs are a global
// of the library without a lock, so ours is set before anybody reads them, when
// the package is loaded.
type oneEncoder struct{ compress.Codec }

var _ = shareEncoder()

func shareEncoder() compress.Codec {
	codec, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		return nil // a library without zstd says so again when it is to write
	}
	shared := oneEncoder{codec}
	compress.RegisterCodec(compress.Codecs.Zstd, shared)
	return shared
}

// EncodeLevel compresses; other levels than the default one are as they were.
func (c oneEncoder) EncodeLevel(dst, src []byte, level int) []byte {
	if level == compress.DefaultCompressionLevel {
		return c.Encode(dst, src)
	}
	return c.Codec.EncodeLevel(dst, src, level)
}
