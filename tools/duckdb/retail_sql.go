package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// lines is the statement that reads the file, numbered, in the order of its lines.
func (r *retail) lines() string {
	text := `CREATE TABLE lines AS
		SELECT row_number() OVER () - 1 AS line, InvoiceNo, StockCode, Description, CAST(Quantity AS BIGINT) AS Quantity,
			CAST(InvoiceDate AS TIMESTAMP) AS InvoiceDate, CAST(UnitPrice AS DECIMAL(18, 3)) AS UnitPrice, CAST(CustomerID AS BIGINT) AS CustomerID, Country
		FROM read_csv('` + strings.ReplaceAll(r.file, "'", "''") + `', header = true, all_varchar = true)`
	if r.months > 0 {
		text += fmt.Sprintf(`; DELETE FROM lines WHERE line >= (
			SELECT min(line) AS first FROM lines GROUP BY date_trunc('month', InvoiceDate) ORDER BY first LIMIT 1 OFFSET %d)`, r.months)
	}
	return text
}

// byHand is the training set of the file: what the lines of earlier minutes say, per
// minute, summed up, and joined as of before. Nothing of it comes from the product.
const byHand = `
WITH priced AS (SELECT *, CAST(UnitPrice AS DOUBLE) AS price, UnitPrice * Quantity AS amount, InvoiceNo LIKE 'C%' AS cancelled FROM lines),
customers AS (
	SELECT CustomerID, InvoiceDate,
		sum(lines) OVER w AS lines, sum(purchases) OVER w AS purchases, sum(cancellations) OVER w AS cancellations, sum(spend) OVER w AS spend,
		max(InvoiceDate) OVER w AS last_seen, last_country
	FROM (
		SELECT CustomerID, InvoiceDate, count(*) AS lines, sum(Quantity) FILTER (Quantity > 0) AS purchases, nullif(count(*) FILTER (Quantity <= 0), 0) AS cancellations,
			sum(amount) AS spend, arg_max(Country, line) AS last_country
		FROM priced WHERE CustomerID IS NOT NULL GROUP BY ALL)
	WINDOW w AS (PARTITION BY CustomerID ORDER BY InvoiceDate)
),
items AS (
	SELECT StockCode, InvoiceDate,
		last_value(description IGNORE NULLS) OVER w AS description, last_value(price IGNORE NULLS) OVER w AS price, max(max_price) OVER w AS max_price,
		min(min_price) OVER w AS min_price, sum(sold) OVER w AS sold, sum(returned) OVER w AS returned, sum(adjusted) OVER w AS adjusted
	FROM (
		SELECT StockCode, InvoiceDate, arg_max(Description, line) FILTER (Description IS NOT NULL) AS description, arg_max(price, line) FILTER (price > 0) AS price,
			max(price) FILTER (price > 0) AS max_price, min(price) FILTER (price > 0) AS min_price,
			sum(Quantity) FILTER (NOT cancelled AND Quantity > 0 AND price > 0) AS sold, -sum(Quantity) FILTER (cancelled) AS returned,
			sum(Quantity) FILTER (NOT cancelled AND NOT (Quantity > 0 AND price > 0)) AS adjusted
		FROM priced GROUP BY ALL)
	WINDOW w AS (PARTITION BY StockCode ORDER BY InvoiceDate)
),
pairs AS (
	SELECT CustomerID, StockCode, InvoiceDate, sum(units) OVER w AS units, sum(spend) OVER w AS spend, last_value(last_price IGNORE NULLS) OVER w AS last_price
	FROM (
		SELECT CustomerID, StockCode, InvoiceDate, sum(Quantity) AS units, sum(amount) AS spend, arg_max(price, line) FILTER (price > 0) AS last_price
		FROM priced WHERE CustomerID IS NOT NULL GROUP BY ALL)
	WINDOW w AS (PARTITION BY CustomerID, StockCode ORDER BY InvoiceDate)
)
SELECT l.line,
	c.lines AS customer_stats__lines, c.purchases AS customer_stats__purchases, c.cancellations AS customer_stats__cancellations, c.spend AS customer_stats__spend,
	c.last_seen AS customer_stats__last_seen, nullif(c.last_country, 'Unspecified') AS customer_stats__last_country,
	i.description AS item_stats__description, i.price AS item_stats__price, i.max_price AS item_stats__max_price, i.min_price AS item_stats__min_price,
	i.sold AS item_stats__sold, i.returned AS item_stats__returned, i.adjusted AS item_stats__adjusted,
	p.units AS customer_item__units, p.spend AS customer_item__spend, p.last_price AS customer_item__last_price
FROM lines l
ASOF LEFT JOIN customers c ON l.CustomerID = c.CustomerID AND l.InvoiceDate > c.InvoiceDate
ASOF LEFT JOIN items i ON l.StockCode = i.StockCode AND l.InvoiceDate > i.InvoiceDate
ASOF LEFT JOIN pairs p ON l.CustomerID = p.CustomerID AND l.StockCode = p.StockCode AND l.InvoiceDate > p.InvoiceDate`

// notByHand are features that the query by hand leaves out: a set, and what lines of
// one minute, which are loaded side by side, decide among themselves.
var notByHand = map[string]bool{
	"customer_stats__countries": true, "item_cancellation__invoice": true, "item_cancellation__units": true, "item_cancellation__price": true,
}

// compare counts the cells in which the training set is not what two queries say.
func (r *retail) compare(ctx context.Context, db *sql.DB, query string) error {
	query = strings.TrimSuffix(strings.TrimSpace(query), ";")
	for _, statement := range []string{
		"CREATE TABLE own AS SELECT * FROM read_parquet('" + r.path("train.parquet") + "')",
		"CREATE TABLE printed AS " + query,
		"CREATE TABLE by_hand AS " + byHand,
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%w in\n%s", err, statement)
		}
	}
	var rows, inOrder, lines int64
	err := db.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM lines), count(*), count(*) FILTER (line = file_row_number) FROM read_parquet('"+r.path("train.parquet")+"', file_row_number = true)").Scan(&lines, &rows, &inOrder)
	if err != nil {
		return err
	}
	if rows != lines || inOrder != lines {
		return fmt.Errorf("the training set has %d rows, %d of them in order, for %d lines", rows, inOrder, lines)
	}
	var wrong []error
	for _, side := range []struct {
		table, what string
		lacks       map[string]bool
	}{
		{"printed", "the query that export prints, over the history", nil},
		{"by_hand", "the query by hand, over the file", notByHand},
	} {
		cells, values, differ, err := r.cells(ctx, db, side.table, side.lacks)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %d lines, %d cells, of which %d are values; %d differ\n", side.what, lines, cells, values, differ)
		if differ > 0 {
			wrong = append(wrong, fmt.Errorf("%d cells differ from %s", differ, side.table))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the training set is not what DuckDB says: %v", wrong)
	}
	return nil
}

// cells compares the columns of a table with those of the training set, line by line,
// and prints some of those that differ.
func (r *retail) cells(ctx context.Context, db *sql.DB, table string, lacks map[string]bool) (cells, values, differ int64, err error) {
	for _, f := range retailFeatures {
		column := strings.Replace(f, ":", "__", 1)
		if lacks[column] {
			continue
		}
		own, theirs := "o."+column, "t."+column
		switch {
		case strings.HasSuffix(f, ":spend"): // decimals are texts in training sets
			own, theirs = "CAST("+own+" AS DECIMAL(38, 9))", "CAST("+theirs+" AS DECIMAL(38, 9))"
		case strings.HasSuffix(f, ":countries"): // sets have no order
			own, theirs = "list_sort("+own+")", "list_sort("+theirs+")"
		case strings.HasSuffix(f, ":last_seen"):
			own, theirs = "epoch_us("+own+")", "epoch_us("+theirs+")"
		}
		var compared, set, other int64
		q := fmt.Sprintf("SELECT count(*), count(%[1]s), count(*) FILTER (t.line IS NULL OR %[1]s IS DISTINCT FROM %[2]s) FROM own o LEFT JOIN %[3]s t USING (line)", own, theirs, table)
		if err := db.QueryRowContext(ctx, q).Scan(&compared, &set, &other); err != nil {
			return 0, 0, 0, fmt.Errorf("%w in\n%s", err, q)
		}
		cells, values, differ = cells+compared, values+set, differ+other
		if other == 0 {
			continue
		}
		var example string
		q = fmt.Sprintf("SELECT min(printf('line %%d: %%s, not %%s', o.line, coalesce(CAST(%[1]s AS VARCHAR), 'null'), coalesce(CAST(%[2]s AS VARCHAR), 'null'))) FROM own o LEFT JOIN %[3]s t USING (line) WHERE %[1]s IS DISTINCT FROM %[2]s", own, theirs, table)
		if err := db.QueryRowContext(ctx, q).Scan(&example); err != nil {
			return 0, 0, 0, fmt.Errorf("%w in\n%s", err, q)
		}
		fmt.Printf("%s: %d differ from %s; %s\n", column, other, table, example)
	}
	return cells, values, differ, nil
}
