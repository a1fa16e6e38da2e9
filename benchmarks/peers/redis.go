package main

import (
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"time"

	redisclient "github.com/redis/go-redis/v9"
)

// redis is a primary and a replica, both with an append-only file that is
// synced before an answer. With wait, each write is followed by WAIT 1 in the
// same pipeline, so that both take one round trip.
type redis struct{ wait bool }

type redisSystem struct {
	*site
	wait                 bool
	primary, replica, of string
}

func (c redis) start(ctx context.Context, s *site) (system, error) {
	r := &redisSystem{site: s, wait: c.wait}
	out, err := exec.CommandContext(ctx, s.programs.redis, "--version").Output()
	if err != nil {
		return nil, err
	}
	r.of = strings.Join(strings.Fields(string(out))[:3], " ")
	for i, name := range []string{"primary", "replica"} {
		dir, err := s.folder(name)
		if err != nil {
			return nil, err
		}
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		args := []string{
			"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "",
			"--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0",
		}
		if i > 0 {
			args = append(args, "--replicaof", strings.Replace(r.primary, ":", " ", 1))
		}
		if err := s.launch(name, s.programs.redis, args...); err != nil {
			return nil, err
		}
		address := "127.0.0.1:" + strconv.Itoa(port)
		if err := s.await(ctx, func() error { return redisReady(ctx, address, i > 0) }); err != nil {
			return nil, err
		}
		if i > 0 {
			r.replica = address
		} else {
			r.primary = address
		}
	}
	return r, nil
}

// redisReady asks whether a server answers, and a replica is connected.
func redisReady(ctx context.Context, address string, replica bool) error {
	c := redisclient.NewClient(&redisclient.Options{Addr: address})
	defer func() { _ = c.Close() }()
	info, err := c.Info(ctx, "replication").Result()
	if err == nil && replica && !strings.Contains(info, "master_link_status:up") {
		err = errors.New("the replica is not connected")
	}
	return err
}

func (r *redisSystem) version() string             { return r.of }
func (r *redisSystem) sessions() bool              { return false }
func (r *redisSystem) check(context.Context) error { return nil }

func (r *redisSystem) client(context.Context) (client, error) {
	one := func(address string) *redisclient.Client {
		return redisclient.NewClient(&redisclient.Options{Addr: address, PoolSize: 1, MaxRetries: -1, ReadTimeout: patience})
	}
	return &redisClient{wait: r.wait, primary: one(r.primary), replica: one(r.replica)}, nil
}

type redisClient struct {
	wait             bool
	primary, replica *redisclient.Client
	fields           [2 * features]any
}

func redisKey(id int) string { return "driver_stats:" + strconv.Itoa(id) }

func (c *redisClient) write(ctx context.Context, r row) error {
	for i, v := range r.features {
		c.fields[2*i], c.fields[2*i+1] = featureName(i), strconv.FormatFloat(v, 'g', -1, 64)
	}
	if !c.wait {
		return c.primary.HSet(ctx, redisKey(r.id), c.fields[:]...).Err()
	}
	pipe := c.primary.Pipeline()
	pipe.HSet(ctx, redisKey(r.id), c.fields[:]...)
	replicas := pipe.Do(ctx, "WAIT", 1, ackLimit.Milliseconds())
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	n, err := replicas.Int()
	if err == nil && n < 1 {
		err = errors.New("WAIT 1: the replica does not have the write in time")
	}
	return err
}

func (c *redisClient) read(ctx context.Context, id int, _ bool) (int64, time.Duration, error) {
	names := make([]string, features)
	for i := range names {
		names[i] = featureName(i)
	}
	values, err := c.replica.HMGet(ctx, redisKey(id), names...).Result()
	if err != nil || values[0] == nil {
		return 0, 0, err
	}
	stamp, err := strconv.ParseFloat(values[0].(string), 64)
	return int64(stamp), 0, err
}

func (c *redisClient) close() {
	_ = c.primary.Close()
	_ = c.replica.Close()
}

func featureName(i int) string { return "f" + strconv.Itoa(i) }
