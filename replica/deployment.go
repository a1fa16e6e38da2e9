package replica

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"

	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/meta"
	"featurestore/online"
	"featurestore/replication"
	"featurestore/replication/peer"
)

// deploymentOf names the deployment of a secret, in the open.
func deploymentOf(secret []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("featurestore replication deployment"))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// unconnected is the transport of a store that talks to no other.
type unconnected struct{}

// Dial fails.
func (unconnected) Dial(context.Context, meta.Member, replication.Hello) (replication.Conversation, error) {
	return nil, errors.New("this store has no peer_listen")
}

// Accept waits for nobody.
func (unconnected) Accept(ctx context.Context, _ func() replication.Hello) (replication.Conversation, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// self is this store as others know it.
func (r *Replica) self() meta.Member {
	x := meta.Member{
		Store: meta.StoreID(r.cfg.Store), Region: meta.Region(r.cfg.Region), Origin: r.store.Identity().Origin, URL: r.reachable(),
	}
	if r.peers != nil {
		x.Address = r.cfg.PeerAddress
		if x.Address == "" {
			if a, ok := r.peers.Addr().(*net.TCPAddr); ok && !a.IP.IsUnspecified() {
				x.Address = a.String()
			}
		}
	}
	return x
}

// replicate builds what exchanges logs with other stores. A store alone has it
// too: it keeps the membership and bounds the log.
func (r *Replica) replicate(secret []byte) error {
	var transport replication.Transport = unconnected{}
	if r.cfg.PeerListen != "" {
		var err error
		r.peers, err = peer.New(peer.Config{
			Secret: secret, Listen: r.cfg.PeerListen, Listener: r.cfg.PeerListener, Compress: r.cfg.PeerCompress,
			Logger: r.telemetry.log.With("room", "peer"), Meter: r.telemetry.meter("peer"),
		})
		if err != nil {
			return err
		}
		transport = r.peers
	}
	var err error
	r.node, err = replication.New(r.replicationConfig(secret, transport))
	return err
}

func (r *Replica) replicationConfig(secret []byte, transport replication.Transport) replication.Config {
	founder, founding := r.cfg.founding()
	return replication.Config{
		Store: r.store, Transport: transport, Self: r.self(), Deployment: deploymentOf(secret), Incarnation: r.store.Identity().Incarnation,
		Founder: founder, Founding: founding, Seeds: r.cfg.seeds(),
		Invited:  r.cfg.invites(func() *meta.Membership { return r.node.Membership() }),
		Distinct: consistency.Distinct,
		Stands:   func(shard feature.Shard) error { return r.coordinates.Stands(shard) },
		Timing:   r.cfg.Replication, Logger: r.telemetry.log.With("room", "replication"), Meter: r.telemetry.meter("replication"),
	}
}

// coordinator builds what decides about reads and writes. A store without peers
// needs to look at nobody.
func (r *Replica) coordinator() (*consistency.Coordinator, error) {
	c := consistency.Config{
		Store: consistency.OwnStore{Log: r.store}, Self: r.self(), Writable: r.node.Writable,
		Group: func(id feature.GroupID) *feature.Group { return r.store.Registry().Group(id) },
		Now:   func() int64 { return r.store.Now().UnixNano() },
	}
	if r.peers != nil {
		c.Peers, c.Rows = r.node, r.node
	}
	return consistency.NewCoordinator(c)
}

// members changes the membership for the edge.
type members struct {
	node  *replication.Node
	store *online.Store
}

// Change makes the change: at the home, or here where this store is to be it.
func (m members) Change(ctx context.Context, c meta.Change) (*meta.Membership, error) {
	if c.Action == meta.Assume {
		return m.node.TakeHome(ctx)
	}
	return m.node.Change(ctx, func(old *meta.Membership, r meta.Rules) (*meta.Membership, error) { return old.Apply(c, r) })
}

var _ replication.Store = (*online.Store)(nil)
