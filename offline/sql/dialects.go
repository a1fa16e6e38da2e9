package sql

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"featurestore/feature"
	"featurestore/offline/history"
)

// Spark is Spark SQL, from version 3.4 on. It has no nanoseconds, and is told to read
// them as numbers.
var Spark = &Dialect{
	Name: "spark-sql", moment: "BIGINT", quote: "`", escapes: true, list: "ARRAY<%s>", array: [2]string{"array(", ")"}, bytes: "unhex('%X')",
	kinds: map[feature.Kind]string{
		feature.Bytes: "BINARY", feature.String: "STRING", feature.Int32: "INT", feature.Int64: "BIGINT", feature.Float32: "FLOAT",
		feature.Float64: "DOUBLE", feature.Bool: "BOOLEAN", feature.Timestamp: "BIGINT",
	},
	contains: "array_contains", maxBy: "max_by", collect: "collect_list(%[1]s) OVER w", flatten: "flatten", distinct: "array_distinct",
	scan: func(d *Dialect, q *Query, folder string) string {
		return "parquet." + d.name(strings.TrimSuffix(q.Location, "/")+"/"+folder)
	},
	entity: func(d *Dialect, path string) string { return "parquet." + d.name(path) },
	time: func(column string, t *arrow.TimestampType) string {
		if t.Unit == arrow.Nanosecond {
			return column
		}
		return "unix_micros(CAST(" + column + " AS TIMESTAMP)) * 1000"
	},
	less:    lessNanos,
	instant: func(column string) string { return "timestamp_micros(" + column + " div 1000)" },
	at:      func(nanos int64) string { return fmt.Sprintf("timestamp_micros(%d div 1000)", nanos) },
	before: []string{
		"SET spark.sql.legacy.parquet.nanosAsLong = true", "SET spark.sql.parquet.mergeSchema = true",
		"SET spark.sql.caseSensitive = true", "SET spark.sql.session.timeZone = UTC",
	},
	notes: func(_ *Dialect, q *Query, _ []folder) []string {
		return q.noteTable("times are TIMESTAMP")
	},
}

// Trino is Trino over the Hive connector, with a table for each view.
var Trino = &Dialect{
	Name: "trino-sql", moment: "TIMESTAMP(9)", quote: `"`, list: "ARRAY(%s)", array: [2]string{"ARRAY[", "]"}, bytes: "from_hex('%X')",
	kinds: map[feature.Kind]string{
		feature.Bytes: "VARBINARY", feature.String: "VARCHAR", feature.Int32: "INTEGER", feature.Int64: "BIGINT", feature.Float32: "REAL",
		feature.Float64: "DOUBLE", feature.Bool: "BOOLEAN", feature.Timestamp: "TIMESTAMP(9)",
	},
	contains: "contains", maxBy: "max_by", collect: "array_agg(coalesce(%[1]s, %[2]s)) OVER w", flatten: "flatten", distinct: "array_distinct",
	scan: func(d *Dialect, _ *Query, folder string) string {
		return d.name(path.Dir(folder)) + "." + d.name(path.Base(folder))
	},
	time: func(column string, _ *arrow.TimestampType) string { return "CAST(" + column + " AS TIMESTAMP(9))" },
	less: func(t string, by time.Duration) (string, error) {
		if by%time.Millisecond != 0 {
			return "", fmt.Errorf("its ttl is %v: Trino has intervals of whole milliseconds", by)
		}
		return fmt.Sprintf("%s - INTERVAL '%d.%03d' SECOND", t, by/time.Second, by%time.Second/time.Millisecond), nil
	},
	instant: func(column string) string { return column },
	at: func(nanos int64) string {
		return "TIMESTAMP '" + time.Unix(0, nanos).UTC().Format("2006-01-02 15:04:05.000000000") + "'"
	},
	notes: func(d *Dialect, q *Query, folders []folder) []string {
		lines := []string{"Set hive.timestamp-precision to NANOSECONDS and hive.parquet.use-column-names to true. Each view is a table:", ""}
		for _, f := range folders {
			lines = append(lines, f.table(d, q)...)
		}
		return append(lines, q.noteTable("times are TIMESTAMP(9)")...)
	},
}

// DuckDB is DuckDB, from version 1.1 on. It cuts the times of history to microseconds.
var DuckDB = &Dialect{
	Name: "duckdb-sql", moment: "BIGINT", quote: `"`, list: "%s[]", array: [2]string{"[", "]"}, bytes: "from_hex('%X')",
	kinds: map[feature.Kind]string{
		feature.Bytes: "BLOB", feature.String: "VARCHAR", feature.Int32: "INTEGER", feature.Int64: "BIGINT", feature.Float32: "FLOAT",
		feature.Float64: "DOUBLE", feature.Bool: "BOOLEAN", feature.Timestamp: "TIMESTAMPTZ",
	},
	contains: "list_contains", maxBy: "arg_max_null", collect: "list(%[1]s) FILTER (WHERE %[1]s IS NOT NULL) OVER w", flatten: "flatten", distinct: "list_distinct",
	scan: func(d *Dialect, q *Query, folder string) string {
		glob := globbed(strings.TrimSuffix(q.Location, "/")+"/"+folder) + "/*/*.parquet"
		return "read_parquet(" + d.text(glob) + ", hive_partitioning = true, union_by_name = true)"
	},
	entity:  func(d *Dialect, path string) string { return "read_parquet(" + d.text(globbed(path)) + ")" },
	time:    func(column string, _ *arrow.TimestampType) string { return "epoch_ns(" + column + ")" },
	less:    lessNanos,
	instant: func(column string) string { return column },
	at: func(nanos int64) string {
		return "TIMESTAMPTZ '" + time.Unix(0, nanos).UTC().Format("2006-01-02 15:04:05.000000") + "+00'"
	},
	notes: func(_ *Dialect, q *Query, _ []folder) []string {
		return append([]string{"DuckDB reads the times of history in microseconds."}, q.noteTable("")...)
	},
}

func lessNanos(t string, by time.Duration) (string, error) {
	return fmt.Sprintf("%s - %d", t, by.Nanoseconds()), nil
}

// globbed is a path in which no character stands for others.
func globbed(path string) string {
	return strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace(path)
}

// noteTable says that there must be a table of entity rows, where no file is read.
func (q *Query) noteTable(types string) []string {
	if q.readsEntity() {
		return nil
	}
	line := "The entity rows are a table " + tableOfEntityRows + " with the columns " + strings.Join(q.entityColumns(), ", ")
	if types != "" {
		line += "; " + types
	}
	return []string{line + "."}
}

// table is the statement that makes a table of a view's folder.
func (f folder) table(d *Dialect, q *Query) []string {
	var columns []string
	add := func(name, typ string) { columns = append(columns, d.name(name)+" "+typ) }
	for _, k := range f.view.Keys {
		add(k.Name, d.kind(widest(k.Type.Kind)))
	}
	add(history.ColumnEvent, d.kind(feature.Timestamp))
	for _, c := range f.read() {
		add(c.name, d.typeOf(c.typ))
	}
	for _, c := range []struct{ name, typ string }{
		{history.ColumnAt, "BIGINT"}, {history.ColumnOrigin, "BIGINT"}, {history.ColumnGeneration, "INTEGER"},
		{history.ColumnDeleted, "BOOLEAN"}, {history.ColumnLogOnly, "BOOLEAN"}, {history.ColumnNulls, "ARRAY(BIGINT)"}, {partition, "VARCHAR"},
	} {
		add(c.name, c.typ)
	}
	schema, table := path.Dir(f.path), path.Base(f.path)
	return []string{
		"CREATE TABLE " + d.scan(d, q, f.path) + " (" + strings.Join(columns, ", ") + ")",
		fmt.Sprintf("  WITH (format = 'PARQUET', partitioned_by = ARRAY[%s], external_location = %s);", d.text(partition), d.text(strings.TrimSuffix(q.Location, "/")+"/"+f.path)),
		fmt.Sprintf("CALL system.sync_partition_metadata(%s, %s, 'FULL');", d.text(schema), d.text(table)), "",
	}
}
