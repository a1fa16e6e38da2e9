package replica

import (
	"featurestore/relay"
	"featurestore/server"
)

// Links are the ways between regions that run in one process; *relay.Links has
// them.
type Links interface {
	Regions() []string
	Link(from, to string) relay.Link
	Set(from, to string, l relay.Link) error
}

// edgeLinks are Links as the edge shows and changes them.
type edgeLinks struct{ links Links }

// Links implements server.Links.
func (l edgeLinks) Links() []server.Link {
	var out []server.Link
	for _, from := range l.links.Regions() {
		for _, to := range l.links.Regions() {
			if from != to {
				x := l.links.Link(from, to)
				out = append(out, server.Link{From: from, To: to, Delay: x.Delay, Loss: x.Loss, Cut: x.Cut})
			}
		}
	}
	return out
}

// SetLink implements server.Links.
func (l edgeLinks) SetLink(from, to string, x server.Link) error {
	return l.links.Set(from, to, relay.Link{Delay: x.Delay, Loss: x.Loss, Cut: x.Cut})
}
