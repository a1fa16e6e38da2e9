package buckettest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// minPartBytes is what every part but the last has at least.
const minPartBytes = 5 << 20

type upload struct {
	key   string
	meta  http.Header
	sums  bool // of parts, which are wanted at the end
	parts map[int]object
}

func (s *Server) beginLocked(key string, h http.Header) *answer {
	s.mu.made++
	id := fmt.Sprintf("upload-%d", s.mu.made)
	s.mu.uploads[id] = &upload{key: key, meta: metaOf(h), sums: h.Get("X-Amz-Checksum-Algorithm") == "CRC32", parts: map[int]object{}}
	return marshalled(struct {
		XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
		Bucket   string
		Key      string
		UploadID string `xml:"UploadId"`
	}{Bucket: BucketName, Key: key, UploadID: id})
}

func noSuchUpload() *answer {
	return refusal(http.StatusNotFound, "NoSuchUpload", "The specified multipart upload does not exist.")
}

func (s *Server) partLocked(key string, query url.Values, h http.Header, body []byte) *answer {
	u := s.mu.uploads[query.Get("uploadId")]
	if u == nil || u.key != key {
		return noSuchUpload()
	}
	number, err := strconv.Atoi(query.Get("partNumber"))
	if err != nil || number < 1 || number > 10_000 {
		return refusal(http.StatusBadRequest, "InvalidArgument", "part number")
	}
	o := newObject(body, nil)
	o.meta = http.Header{"X-Amz-Checksum-Crc32": h["X-Amz-Checksum-Crc32"], "Etag": {o.etag}}
	u.parts[number] = o
	return &answer{status: http.StatusOK, header: o.meta}
}

func (s *Server) completeLocked(key string, query url.Values, body []byte) *answer {
	id := query.Get("uploadId")
	u := s.mu.uploads[id]
	if u == nil || u.key != key {
		return noSuchUpload()
	}
	var wanted struct {
		Part []struct {
			PartNumber    int
			ETag          string
			ChecksumCRC32 string
		}
	}
	if err := xml.Unmarshal(body, &wanted); err != nil || len(wanted.Part) == 0 {
		return refusal(http.StatusBadRequest, "MalformedXML", "parts")
	}
	var contents []byte
	last := 0
	for i, p := range wanted.Part {
		o, ok := u.parts[p.PartNumber]
		switch {
		case p.PartNumber <= last:
			return refusal(http.StatusBadRequest, "InvalidPartOrder", "parts")
		case !ok || o.etag != p.ETag:
			return refusal(http.StatusBadRequest, "InvalidPart", fmt.Sprintf("part %d", p.PartNumber))
		case u.sums && p.ChecksumCRC32 != o.meta.Get("X-Amz-Checksum-Crc32") || !u.sums && p.ChecksumCRC32 != "":
			return refusal(http.StatusBadRequest, "InvalidPart", fmt.Sprintf("sum of part %d", p.PartNumber))
		case i+1 < len(wanted.Part) && len(o.contents) < minPartBytes:
			return refusal(http.StatusBadRequest, "EntityTooSmall", fmt.Sprintf("part %d", p.PartNumber))
		}
		contents, last = append(contents, o.contents...), p.PartNumber
	}
	o := newObject(contents, u.meta)
	s.mu.objects[key] = o
	delete(s.mu.uploads, id)
	return marshalled(struct {
		XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
		Bucket  string
		Key     string
		ETag    string
	}{Bucket: BucketName, Key: key, ETag: o.etag})
}

func (s *Server) abortLocked(query url.Values) *answer {
	id := query.Get("uploadId")
	if s.mu.uploads[id] == nil {
		return noSuchUpload()
	}
	delete(s.mu.uploads, id)
	return &answer{status: http.StatusNoContent}
}
