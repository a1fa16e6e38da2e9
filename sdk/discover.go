package sdk

import (
	"net/url"
	"slices"
	"strings"

	"featurestore/api"
)

// merged returns the stores to know after a store has named those of its
// deployment: all that the Config names, and the others that are active and
// say where they serve. One that is there already is kept with all that is
// known of it. More than maxStores are not taken.
func merged(known []*remote, named []api.RegionInfo) []*remote {
	var out []*remote
	for _, r := range known {
		if r.listed {
			out = append(out, r)
		}
	}
	for _, n := range named {
		at := strings.TrimRight(n.URL, "/")
		if i := slices.IndexFunc(out, func(r *remote) bool { return r.is(at, n) }); i >= 0 {
			out[i].region, out[i].store = n.Region, n.Store
			continue
		}
		if n.State != "active" || !isStoreURL(at) || len(out) >= maxStores {
			continue
		}
		r := &remote{url: at, region: n.Region, store: n.Store}
		if i := slices.IndexFunc(known, func(r *remote) bool { return r.url == at }); i >= 0 {
			r = known[i]
			r.region, r.store = n.Region, n.Store
		}
		out = append(out, r)
	}
	return out
}

// is reports whether r is the store that n names, by its URL or its name: the
// Config may reach it by another address than the one it gives.
func (r *remote) is(at string, n api.RegionInfo) bool {
	return r.url == at || r.store != "" && r.store == n.Store && r.region == n.Region
}

// isStoreURL reports whether text may be a store's address.
func isStoreURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
