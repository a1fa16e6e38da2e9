package replica

import (
	"os"
	"path/filepath"

	"featurestore/offline/history"
	"featurestore/offline/served"
)

// ServedDir returns the directory within data that holds the served log.
func ServedDir(data string) string { return filepath.Join(data, "served") }

// hasServedLog reports whether there is a log of before: it goes on getting old, and
// entities may be erased from it.
func (r *Replica) hasServedLog() bool {
	_, err := os.Stat(ServedDir(r.cfg.Data))
	return err == nil
}

// servedConfig returns the configuration of the log of what is served.
func (r *Replica) servedConfig() served.Config {
	return served.Config{
		Files: history.NewDisk(ServedDir(r.cfg.Data)), Fraction: r.cfg.ServedLog, Region: r.cfg.Region, Store: r.cfg.Store,
		Every: r.cfg.HistoryEvery, MaxBytes: r.cfg.ServedLogMaxBytes, Retain: r.cfg.ServedLogRetain, Wall: r.cfg.Wall,
		Logger: r.telemetry.log.With("room", "served"), Meter: r.telemetry.meter("served"),
	}
}
