package buckettest

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pageKeys are in a page of a list: few, so that lists have several.
const pageKeys = 7

func (s *Server) do(asked Request, r *http.Request, query url.Values, body []byte) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch asked.Operation {
	case "PutObject":
		return s.putLocked(asked.Key, r.Header, body)
	case "GetObject", "HeadObject":
		return s.getLocked(asked.Key, r.Header)
	case "DeleteObject":
		delete(s.mu.objects, asked.Key)
		return &answer{status: http.StatusNoContent}
	case "ListObjectsV2":
		return s.listLocked(query)
	case "CreateMultipartUpload":
		return s.beginLocked(asked.Key, r.Header)
	case "UploadPart":
		return s.partLocked(asked.Key, query, r.Header, body)
	case "CompleteMultipartUpload":
		return s.completeLocked(asked.Key, query, body)
	case "AbortMultipartUpload":
		return s.abortLocked(query)
	}
	return refusal(http.StatusNotImplemented, "NotImplemented", asked.Operation)
}

func metaOf(h http.Header) http.Header {
	meta := http.Header{}
	for name, values := range h {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			meta[name] = values
		}
	}
	return meta
}

func (s *Server) putLocked(key string, h http.Header, body []byte) *answer {
	_, taken := s.mu.objects[key]
	switch condition := h.Get("If-None-Match"); {
	case condition != "" && condition != "*":
		return refusal(http.StatusNotImplemented, "NotImplemented", "If-None-Match of a put must be *")
	case condition == "*" && taken && !s.mu.unconditional:
		return refusal(http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	}
	o := newObject(body, metaOf(h))
	s.mu.objects[key] = o
	return &answer{status: http.StatusOK, header: http.Header{"Etag": {o.etag}}}
}

func (s *Server) getLocked(key string, h http.Header) *answer {
	o, ok := s.mu.objects[key]
	if !ok {
		return refusal(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	}
	if match := h.Get("If-Match"); match != "" && match != o.etag {
		return refusal(http.StatusPreconditionFailed, "PreconditionFailed", "If-Match")
	}
	a := &answer{status: http.StatusOK, header: http.Header{"Etag": {o.etag}}, body: o.contents}
	maps.Copy(a.header, o.meta)
	asked := h.Get("Range")
	if asked == "" {
		return a
	}
	from, to, ok := rangeOf(asked, len(o.contents))
	if !ok {
		return refusal(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
	}
	a.status, a.body = http.StatusPartialContent, o.contents[from:to]
	a.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(o.contents)))
	return a
}

// rangeOf reads bytes=FIRST-LAST.
func rangeOf(text string, size int) (from, to int, ok bool) {
	first, last, _ := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")
	from, err1 := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	return from, min(to+1, size), err1 == nil && err2 == nil && from < size && from <= to
}

type listing struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Prefix                string
	EncodingType          string
	KeyCount              int
	IsTruncated           bool
	NextContinuationToken string `xml:",omitempty"`
	Contents              []listed
}

type listed struct {
	Key          string
	Size         int
	ETag         string
	LastModified time.Time
}

func (s *Server) listLocked(query url.Values) *answer {
	prefix, after := query.Get("prefix"), query.Get("continuation-token")
	out := listing{Prefix: prefix, EncodingType: query.Get("encoding-type")}
	for _, key := range slices.Sorted(maps.Keys(s.mu.objects)) {
		if !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		if len(out.Contents) == pageKeys {
			out.IsTruncated = true
			break
		}
		out.NextContinuationToken = key
		shown := key
		if out.EncodingType == "url" {
			shown = url.QueryEscape(key)
		}
		out.Contents = append(out.Contents, listed{shown, len(s.mu.objects[key].contents), s.mu.objects[key].etag, s.mu.objects[key].made})
	}
	if !out.IsTruncated {
		out.NextContinuationToken = ""
	}
	out.KeyCount = len(out.Contents)
	return marshalled(out)
}

func marshalled(v any) *answer {
	text, err := xml.Marshal(v)
	if err != nil {
		return refusal(http.StatusInternalServerError, "InternalError", err.Error())
	}
	return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/xml"}}, body: text}
}
