package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql" // registers the driver
)

// mariadb is a primary and a replica that apply nothing less than durably: both
// sync InnoDB's log and the binary log at each commit. With
// semisync a commit waits, before others see it, until the replica has it in
// its relay log, which syncRelayLog syncs at each event.
type mariadb struct{ semisync, syncRelayLog bool }

type mariadbSystem struct {
	*site
	semisync         bool
	of               string
	primary, replica string // data source names
}

// start returns once the replica replicates and, with semisync, the primary
// counts on it.
func (c mariadb) start(ctx context.Context, s *site) (system, error) {
	m := &mariadbSystem{site: s, semisync: c.semisync}
	out, err := exec.CommandContext(ctx, s.programs.mariadb, "--version").Output()
	if err != nil {
		return nil, err
	}
	m.of = strings.Join(strings.Fields(string(out))[1:3], " ")
	var primary int
	for i, name := range []string{"primary", "replica"} {
		dir, err := s.folder(name)
		if err != nil {
			return nil, err
		}
		common, err := mariadbCommon(s, dir)
		if err != nil {
			return nil, err
		}
		if err := bootstrap(ctx, s, name, common); err != nil {
			return nil, err
		}
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		args := append(common,
			"--port="+strconv.Itoa(port), "--bind-address=127.0.0.1", "--skip-name-resolve",
			"--socket="+filepath.Join(dir, "s"), "--pid-file="+filepath.Join(dir, "pid"), "--max-connections=300",
			"--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=256M", "--server-id="+strconv.Itoa(i+1))
		// The replica logs too, as one that may take over does. It is quicker so:
		// what it applies in parallel commits in order, and only the binary log
		// lets such commits share a sync.
		args = append(args, "--log-bin=binlog", "--binlog-format=ROW", "--sync-binlog=1")
		if i > 0 {
			args = append(args, "--log-slave-updates=1", "--relay-log=relay", "--read-only=1", "--slave-parallel-threads=16")
		}
		switch {
		case c.semisync && i == 0:
			args = append(args, "--rpl-semi-sync-master-enabled=1", "--rpl-semi-sync-master-wait-point=AFTER_SYNC",
				"--rpl-semi-sync-master-timeout="+strconv.FormatInt(ackLimit.Milliseconds(), 10))
		case c.semisync:
			args = append(args, "--rpl-semi-sync-slave-enabled=1")
			if c.syncRelayLog {
				args = append(args, "--sync-relay-log=1")
			}
		}
		if err := s.launch(name, s.programs.mariadb, args...); err != nil {
			return nil, err
		}
		name := fmt.Sprintf("root@tcp(127.0.0.1:%d)/bench", port)
		var prepare []string
		if i == 0 {
			m.primary, primary = name, port
		} else {
			m.replica = name
			prepare = []string{
				fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='root', MASTER_USE_GTID=slave_pos", primary),
				"START SLAVE",
			}
		}
		if err := prepareMariadb(ctx, s, name, prepare); err != nil {
			return nil, err
		}
	}
	return m, s.await(ctx, func() error {
		if err := mariadbStatus(ctx, m.replica, "Slave_running", "ON"); err != nil || !m.semisync {
			return err
		}
		return mariadbStatus(ctx, m.primary, "Rpl_semi_sync_master_clients", "1")
	})
}

// mariadbCommon are the arguments that first and later starts share. What the
// program reads stands beside it, wherever that is.
func mariadbCommon(s *site, dir string) ([]string, error) {
	u, err := user.Current()
	if err != nil {
		return nil, err
	}
	share := filepath.Join(filepath.Dir(filepath.Dir(s.programs.mariadb)), "share", "mysql")
	return []string{
		"--no-defaults", "--user=" + u.Username, "--datadir=" + dir, "--tmpdir=" + dir,
		"--lc-messages-dir=" + share, "--character-sets-dir=" + filepath.Join(share, "charsets"),
	}, nil
}

// bootstrap makes the system tables, as mariadb-install-db does, and the table
// at both servers: a primary that waits for its replica could not make it
// before there is one. root may enter from 127.0.0.1 without a password.
func bootstrap(ctx context.Context, s *site, name string, common []string) error {
	share := filepath.Join(filepath.Dir(filepath.Dir(s.programs.mariadb)), "share", "mysql")
	text := "create database mysql;\nuse mysql;\nset @auth_root_socket = null;\n"
	for _, file := range []string{"mysql_system_tables.sql", "mysql_system_tables_data.sql"} {
		b, err := os.ReadFile(filepath.Join(share, file))
		if err != nil {
			return err
		}
		text += string(b)
	}
	cmd := exec.CommandContext(ctx, s.programs.mariadb, append(common, "--bootstrap")...)
	cmd.Stdin = strings.NewReader(text + "create database bench;\nuse bench;\n" + mariadbTable() + ";\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("bootstrap the %s: %w\n%s", name, err, out)
	}
	return nil
}

func mariadbTable() string {
	var columns strings.Builder
	for i := range features {
		fmt.Fprintf(&columns, ", %s DOUBLE", featureName(i))
	}
	return "CREATE TABLE driver_stats (driver_id BIGINT PRIMARY KEY" + columns.String() + ") ENGINE=InnoDB"
}

// prepareMariadb waits for a server and runs statements there.
func prepareMariadb(ctx context.Context, s *site, source string, statements []string) error {
	db, err := sql.Open("mysql", source)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := s.await(ctx, func() error { return db.PingContext(ctx) }); err != nil {
		return err
	}
	for _, q := range statements {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}

// mariadbStatus returns an error unless a counter of a server has a value.
func mariadbStatus(ctx context.Context, source, name, want string) error {
	db, err := sql.Open("mysql", source)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var got string
	if err := db.QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE '"+name+"'").Scan(&name, &got); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s is %s, want %s", name, got, want)
	}
	return nil
}

func (m *mariadbSystem) version() string { return m.of }
func (m *mariadbSystem) sessions() bool  { return false }

// check finds commits that did not wait for the replica to the end. MariaDB
// answers them like others.
func (m *mariadbSystem) check(ctx context.Context) error {
	if !m.semisync {
		return nil
	}
	return mariadbStatus(ctx, m.primary, "Rpl_semi_sync_master_no_tx", "0")
}

func (m *mariadbSystem) client(ctx context.Context) (client, error) {
	c := &mariadbClient{}
	for _, part := range []struct {
		source, query string
		to            **sql.Stmt
	}{
		{m.primary, mariadbUpsert(), &c.upsert},
		{m.replica, "SELECT * FROM driver_stats WHERE driver_id = ?", &c.choose},
	} {
		db, err := sql.Open("mysql", part.source)
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(1)
		c.pools = append(c.pools, db)
		if *part.to, err = db.PrepareContext(ctx, part.query); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

type mariadbClient struct {
	pools          []*sql.DB
	upsert, choose *sql.Stmt
	values         [features + 1]any
}

func mariadbUpsert() string {
	set := make([]string, features)
	for i := range set {
		set[i] = fmt.Sprintf("%[1]s = VALUE(%[1]s)", featureName(i))
	}
	return "INSERT INTO driver_stats VALUES (?" + strings.Repeat(", ?", features) + ") ON DUPLICATE KEY UPDATE " + strings.Join(set, ", ")
}

func (c *mariadbClient) write(ctx context.Context, r row) error {
	c.values[0] = r.id
	for i, v := range r.features {
		c.values[i+1] = v
	}
	_, err := c.upsert.ExecContext(ctx, c.values[:]...)
	return err
}

func (c *mariadbClient) read(ctx context.Context, id int, _ bool) (int64, time.Duration, error) {
	var key int64
	var values [features]float64
	into := []any{&key}
	for i := range values {
		into = append(into, &values[i])
	}
	err := c.choose.QueryRowContext(ctx, id).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	}
	return int64(values[0]), 0, err
}

func (c *mariadbClient) close() {
	for _, db := range c.pools {
		_ = db.Close()
	}
}
