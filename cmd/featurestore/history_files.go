package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"featurestore/offline/bucket"
	"featurestore/offline/history"
	"featurestore/replica"
)

// historyPlace is where a history lies: in a store's data directory, or in a bucket.
type historyPlace struct {
	data, bucket string
}

// flags adds those that name the place.
func (p *historyPlace) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.data, "data", "data", "data directory of the store that keeps the history")
	cmd.Flags().StringVar(&p.bucket, "history", "", "bucket that holds it instead, as the store's history_bucket: s3://lake/rides?region=eu-central-1")
	cmd.MarkFlagsMutuallyExclusive("data", "history")
}

func (p *historyPlace) String() string {
	if p.bucket != "" {
		return p.bucket
	}
	return replica.HistoryDir(p.data)
}

// open returns the files of the history.
func (p *historyPlace) open(ctx context.Context) (history.Files, error) {
	if p.bucket == "" {
		dir := replica.HistoryDir(p.data)
		if _, err := os.Stat(dir); err != nil {
			if within := historiesBelow(p.data); len(within) > 0 {
				return nil, fmt.Errorf("%s has no history of its own: give the data directory of one store: %s", p.data, strings.Join(within, ", "))
			}
			return nil, fmt.Errorf("%s has no history: %w; a store with the setting history keeps one", p.data, err)
		}
		return history.NewDisk(dir), nil
	}
	if !bucket.IsURL(p.bucket) {
		return nil, errors.New("--history must be the URL of a bucket, such as s3://lake/rides; a directory is --data")
	}
	b, err := bucket.Open(ctx, p.bucket, bucket.Options{})
	if err != nil {
		return nil, fmt.Errorf("--history: %w", err)
	}
	return b, nil
}

// historiesBelow are the data directories within one, of which each has a history, as
// those of featurestore dev.
func historiesBelow(data string) []string {
	found, _ := filepath.Glob(replica.HistoryDir(filepath.Join(data, "*"))) // a bad pattern finds none
	for i, dir := range found {
		found[i] = filepath.Dir(dir)
	}
	return found
}

// bareLocation is a path or a URL as an engine knows it, that has credentials and
// endpoints of its own.
func bareLocation(path string) (string, error) {
	if !bucket.IsURL(path) {
		return filepath.Abs(path)
	}
	path, _, _ = strings.Cut(path, "?")
	return strings.TrimSuffix(path, "/"), nil
}
