package server

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"featurestore/api"
	"featurestore/consistency"
	"featurestore/feature"
)

// renderNative appends the native answer.
func (l *lookup) renderNative(s *Server, met consistency.Met) {
	l.token = s.cfg.Signer.Append(l.token[:0], &l.session)
	b := append(l.out[:0], l.plan.native...)
	width := len(l.plan.defaults)
	for row := range l.rows {
		if row > 0 {
			b = append(b, ',')
		}
		b = l.appendRow(b, row, l.cells[row*width:(row+1)*width])
	}
	b = append(b, `],"consistency":`...)
	b = s.appendMet(b, met, l.read.Forwarded)
	b = append(b, `,"session":"`...)
	b = append(b, l.token...)
	l.out = append(b, "\"}\n"...)
}

func (l *lookup) appendRow(b []byte, row int, line []cell) []byte {
	b = append(b, `{"entity":{`...)
	for i, c := range l.scanned.Entities {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(api.AppendString(b, text(c.Name)), ':')
		b = append(b, c.Values[row]...)
	}
	b = append(b, `},"values":[`...)
	allPresent := true
	for i, out := range l.plan.outputs {
		if i > 0 {
			b = append(b, ',')
		}
		c := &line[out.slot]
		b = api.AppendValue(b, c.value)
		allPresent = allPresent && c.status == statusPresent
	}
	b = append(b, `],"statuses":`...)
	if allPresent {
		b = append(b, l.plan.allPresent...)
	} else {
		b = l.appendStatuses(b, line)
	}
	b = append(b, `,"event_times":[`...)
	b = l.appendEventTimes(b, line)
	if l.conflicts {
		b = l.appendConflicts(b, line)
	}
	return append(b, "]}"...)
}

// appendConflicts tells how many siblings each value has beside it, where one of
// them has any.
func (l *lookup) appendConflicts(b []byte, line []cell) []byte {
	any := false
	for _, out := range l.plan.outputs {
		any = any || line[out.slot].conflicts > 0
	}
	if !any {
		return b
	}
	b = append(b, `],"conflicts":[`...)
	for i, out := range l.plan.outputs {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(line[out.slot].conflicts), 10)
	}
	return b
}

func (l *lookup) appendStatuses(b []byte, line []cell) []byte {
	b = append(b, '[')
	for i, out := range l.plan.outputs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, statusText[line[out.slot].status]...)
	}
	return append(b, ']')
}

// appendEventTimes prints a time once where cells share it, as the cells of a
// row that was written whole do.
func (l *lookup) appendEventTimes(b []byte, line []cell) []byte {
	var last int64
	from, to := 0, 0
	for i, out := range l.plan.outputs {
		if i > 0 {
			b = append(b, ',')
		}
		c := &line[out.slot]
		switch {
		case !c.timed:
			b = append(b, "null"...)
		case to > from && c.eventTime == last:
			b = append(b, b[from:to]...)
		default:
			from = len(b)
			b = api.AppendTime(b, c.eventTime)
			to, last = len(b), c.eventTime
		}
	}
	return b
}

// appendMet renders api.ConsistencyMet.
func (s *Server) appendMet(b []byte, met consistency.Met, forwarded bool) []byte {
	b = append(b, `{"asked":"`...)
	b = append(b, met.Asked.Level.String()...)
	b = append(b, `","met":"`...)
	b = append(b, met.Met.Level.String()...)
	if met.Degraded {
		b = append(b, `","degraded":true,"region":`...)
	} else {
		b = append(b, `","region":`...)
	}
	b = api.AppendString(b, s.cfg.Region)
	b = append(b, `,"store":`...)
	b = api.AppendString(b, s.cfg.Store)
	b = strconv.AppendBool(append(b, `,"forwarded":`...), forwarded)
	if met.Members > 0 {
		b = append(b, `,"members":{"read":`...)
		b = strconv.AppendInt(b, int64(met.Members), 10)
		b = append(b, `,"of":`...)
		b = strconv.AppendInt(b, int64(met.Of), 10)
		b = append(b, '}')
	}
	b = append(b, `,"waited_ms":`...)
	b = strconv.AppendInt(b, milliseconds(met.Waited), 10)
	b = append(b, `,"staleness_ms":{`...)
	for i, lag := range met.Lags {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(api.AppendString(b, string(lag.Region)), ':')
		b = strconv.AppendInt(b, staleness(lag.Time), 10)
	}
	return append(b, "}}"...)
}

// staleness is a lag in milliseconds as answers tell it.
func staleness(lag time.Duration) int64 {
	if lag == consistency.UnknownLag {
		return api.UnknownStalenessMs
	}
	return milliseconds(lag)
}

// Header values that most answers share. Nothing may modify them.
var (
	headerJSON = []string{api.MediaJSON}
	headerZero = []string{"0"}
	headersMet = func() (h [consistency.Leader + 1][]string) {
		for l := range h {
			h[l] = []string{consistency.Level(l).String()}
		}
		return h
	}()
)

// answerLookup sends l.out with the headers that both dialects share.
func (s *Server) answerLookup(r *request, l *lookup, met consistency.Met) error {
	h := r.Response().Header()
	h["Content-Type"] = headerJSON
	h["Content-Length"] = []string{strconv.Itoa(len(l.out))}
	h[api.HeaderServedBy] = s.servedBy
	h[api.HeaderStaleness] = headerZero
	if met.Lag > 0 {
		h[api.HeaderStaleness] = []string{strconv.FormatInt(staleness(met.Lag), 10)}
	}
	h[api.HeaderWaited] = headerZero
	if met.Waited > 0 {
		h[api.HeaderWaited] = []string{strconv.FormatInt(milliseconds(met.Waited), 10)}
	}
	h[api.HeaderConsistency] = headersMet[met.Met.Level]
	if met.Degraded {
		h[api.HeaderConsistency] = []string{met.Met.Level.String() + "; degraded"}
	}
	if len(l.token) > 0 {
		h[api.HeaderSession] = []string{string(l.token)}
	}
	r.Response().WriteHeader(http.StatusOK)
	if _, err := r.Response().Write(l.out); err != nil || !l.sampled {
		return err
	}
	if err := s.logServed(l, r, met); err != nil { // it was answered all the same
		s.cfg.Logger.Error("a served lookup cannot be logged", "request", r.id, "error", err)
	}
	return nil
}

func (p *plan) hasKey(name []byte) bool {
	for i := range p.keys {
		if p.keys[i].Name == string(name) {
			return true
		}
	}
	return false
}

func (p *plan) hasRequest(name []byte) bool {
	for i := range p.requests {
		if p.requests[i].Name == string(name) {
			return true
		}
	}
	return false
}

// keyNames lists the join keys for an error.
func (p *plan) keyNames() string {
	names := make([]string, len(p.keys))
	for i, k := range p.keys {
		names[i] = k.Name + " (" + k.Type.String() + ")"
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// suggestKey names all join keys, and the one that resembles name.
func (p *plan) suggestKey(name string) string {
	known := make([]string, len(p.keys))
	for i, k := range p.keys {
		known[i] = k.Name
	}
	text := "it takes " + p.keyNames()
	if near := feature.Nearest(name, known); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return text
}

// text views b as a string without a copy; b must not change meanwhile.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// milliseconds rounds up, so that a wait is never told as none.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
