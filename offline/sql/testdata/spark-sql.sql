-- A row for each entity row, with features of stats, places as they were at its time; in no order.
-- Counters of decimals are added, and decimals compared, to nine places.
SET spark.sql.legacy.parquet.nanosAsLong = true;
SET spark.sql.parquet.mergeSchema = true;
SET spark.sql.caseSensitive = true;
SET spark.sql.session.timeZone = UTC;
WITH entity AS (
  SELECT
    `driver_id` AS c0,
    `origin's ``id"` AS c1,
    `city` AS c2,
    `zone` AS c3,
    `at` AS c4,
    unix_micros(CAST(`at` AS TIMESTAMP)) * 1000 AS t
  FROM parquet.`/rows/e``*.parquet`
), rows0 AS ( -- what each write to stats brought
  SELECT
    `driver_id` AS k0,
    `event_timestamp` AS event,
    `_generation` AS g,
    `_at` AS a,
    `_origin` AS o,
    `_deleted` AS deleted,
    `_log_only` AS l,
    `rate` AS v0,
    coalesce(`rate` IS NOT NULL OR array_contains(`_nulls`, CAST(1 AS BIGINT)), false) AS s0,
    `seen` AS v1,
    coalesce(`seen` IS NOT NULL OR array_contains(`_nulls`, CAST(2 AS BIGINT)), false) AS s1,
    `trips` AS v2,
    coalesce(`trips` IS NOT NULL OR array_contains(`_nulls`, CAST(3 AS BIGINT)), false) AS s2,
    `spent` AS v3,
    coalesce(`spent` IS NOT NULL OR array_contains(`_nulls`, CAST(4 AS BIGINT)), false) AS s3,
    `top` AS v4,
    coalesce(`top` IS NOT NULL OR array_contains(`_nulls`, CAST(5 AS BIGINT)), false) AS s4,
    `low` AS v5,
    coalesce(`low` IS NOT NULL OR array_contains(`_nulls`, CAST(6 AS BIGINT)), false) AS s5,
    `tags` AS v6,
    coalesce(`tags` IS NOT NULL OR array_contains(`_nulls`, CAST(7 AS BIGINT)), false) AS s6,
    `mark` AS v7,
    coalesce(`mark` IS NOT NULL OR array_contains(`_nulls`, CAST(8 AS BIGINT)), false) AS s7
  FROM parquet.`s3://bucket/it's/rides/stats`
  WHERE `_at` <= 117133384089665535
), ranked0 AS ( -- which of two writes counts
  SELECT
    k0,
    event,
    deleted,
    row_number() OVER (PARTITION BY k0 ORDER BY g, event, a, o) AS by_event,
    v0,
    s0,
    row_number() OVER (PARTITION BY k0 ORDER BY g, a, o, event) AS by_write,
    v1,
    s1,
    CASE WHEN lag(a) OVER (PARTITION BY k0, o, v2 IS NULL ORDER BY a, event) = a THEN CAST(0 AS BIGINT) ELSE v2 - coalesce(max_by(v2, CASE WHEN NOT l THEN a END) OVER (PARTITION BY k0, o, v2 IS NULL ORDER BY a, event ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), CAST(0 AS BIGINT)) END AS v2,
    s2,
    CASE WHEN lag(a) OVER (PARTITION BY k0, o, v3 IS NULL ORDER BY a, event) = a THEN CAST(0 AS DECIMAL(27, 9)) ELSE CAST(v3 AS DECIMAL(27, 9)) - coalesce(max_by(CAST(v3 AS DECIMAL(27, 9)), CASE WHEN NOT l THEN a END) OVER (PARTITION BY k0, o, v3 IS NULL ORDER BY a, event ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), CAST(0 AS DECIMAL(27, 9))) END AS v3,
    s3,
    row_number() OVER (PARTITION BY k0 ORDER BY CASE WHEN v4 IS NULL THEN 0 ELSE CASE WHEN v4 = CAST('NaN' AS DOUBLE) OR v4 <> v4 THEN 1 ELSE 2 END END, v4, g, event, a, o) AS r4,
    v4,
    s4,
    row_number() OVER (PARTITION BY k0 ORDER BY CASE WHEN v5 IS NULL THEN 0 ELSE 2 END, v5 DESC, g, event, a, o) AS r5,
    v5,
    s5,
    CASE WHEN v6 = lag(v6) OVER (PARTITION BY k0 ORDER BY event, g, event, a, o) THEN NULL ELSE v6 END AS v6,
    s6,
    row_number() OVER (PARTITION BY k0 ORDER BY a, o, g, event) AS by_dot,
    v7,
    s7
  FROM rows0
), states0 AS ( -- what holds from event, and before next
  SELECT
    k0,
    event,
    lead(event) OVER (PARTITION BY k0 ORDER BY event, by_event) AS next,
    max_by(v0, CASE WHEN s0 OR deleted THEN by_event END) OVER w AS v0,
    max_by(CASE WHEN s0 THEN event END, CASE WHEN s0 OR deleted THEN by_event END) OVER w AS e0,
    max_by(v1, CASE WHEN s1 OR deleted THEN by_write END) OVER w AS v1,
    max_by(CASE WHEN s1 THEN event END, CASE WHEN s1 OR deleted THEN by_write END) OVER w AS e1,
    CAST(sum(v2) OVER w AS BIGINT) AS v2,
    CASE WHEN max(CASE WHEN deleted THEN 1 ELSE 0 END) OVER w = 0 THEN max(CASE WHEN s2 THEN event END) OVER w END AS e2,
    CAST(sum(v3) OVER w AS DECIMAL(38, 9)) AS v3,
    CASE WHEN max(CASE WHEN deleted THEN 1 ELSE 0 END) OVER w = 0 THEN max(CASE WHEN s3 THEN event END) OVER w END AS e3,
    max_by(v4, CASE WHEN s4 THEN r4 END) OVER w AS v4,
    CASE WHEN max(CASE WHEN deleted THEN 1 ELSE 0 END) OVER w = 0 THEN max_by(event, CASE WHEN s4 THEN r4 END) OVER w END AS e4,
    max_by(v5, CASE WHEN s5 THEN r5 END) OVER w AS v5,
    CASE WHEN max(CASE WHEN deleted THEN 1 ELSE 0 END) OVER w = 0 THEN max_by(event, CASE WHEN s5 THEN r5 END) OVER w END AS e5,
    array_distinct(flatten(coalesce(collect_list(v6) OVER w, CAST(array() AS ARRAY<ARRAY<STRING>>)))) AS v6,
    CASE WHEN max(CASE WHEN deleted THEN 1 ELSE 0 END) OVER w = 0 THEN max(CASE WHEN s6 THEN event END) OVER w END AS e6,
    max_by(v7, CASE WHEN s7 THEN by_dot END) OVER w AS v7,
    CASE WHEN max(CASE WHEN deleted THEN 1 ELSE 0 END) OVER w = 0 THEN max_by(event, CASE WHEN s7 THEN by_dot END) OVER w END AS e7
  FROM ranked0
  WINDOW w AS (PARTITION BY k0 ORDER BY event, by_event ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
), rows1 AS ( -- what each write to places brought
  SELECT
    `city` AS k0,
    `zone` AS k1,
    `event_timestamp` AS event,
    `_generation` AS g,
    `_at` AS a,
    `_origin` AS o,
    `_deleted` AS deleted,
    `_log_only` AS l,
    `kind` AS v0,
    coalesce(`kind` IS NOT NULL OR array_contains(`_nulls`, CAST(1 AS BIGINT)), false) AS s0,
    `taste` AS v1,
    coalesce(`taste` IS NOT NULL OR array_contains(`_nulls`, CAST(2 AS BIGINT)), false) AS s1
  FROM parquet.`s3://bucket/it's/rides/places`
  WHERE `_at` <= 117133384089665535
), ranked1 AS ( -- which of two writes counts
  SELECT
    k0,
    k1,
    event,
    deleted,
    row_number() OVER (PARTITION BY k0, k1 ORDER BY g, event, a, o) AS by_event,
    v0,
    s0,
    v1,
    s1
  FROM rows1
), states1 AS ( -- what holds from event, and before next
  SELECT
    k0,
    k1,
    event,
    lead(event) OVER (PARTITION BY k0, k1 ORDER BY event, by_event) AS next,
    max_by(v0, CASE WHEN s0 OR deleted THEN by_event END) OVER w AS v0,
    max_by(CASE WHEN s0 THEN event END, CASE WHEN s0 OR deleted THEN by_event END) OVER w AS e0,
    max_by(v1, CASE WHEN s1 OR deleted THEN by_event END) OVER w AS v1,
    max_by(CASE WHEN s1 THEN event END, CASE WHEN s1 OR deleted THEN by_event END) OVER w AS e1
  FROM ranked1
  WINDOW w AS (PARTITION BY k0, k1 ORDER BY event, by_event ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
), met0 AS ( -- the last event of stats before each entity row
  SELECT t, c0, c1, c2, c3, c4, m0 FROM (
    SELECT t, c0, c1, c2, c3, c4, asks, max(event) OVER (PARTITION BY k0 ORDER BY moment, asks ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS m0 FROM (
      SELECT t, c0, c1, c2, c3, c4, c0 AS k0, t AS moment, 1 AS asks, CAST(NULL AS BIGINT) AS event FROM entity
      UNION ALL
      SELECT NULL, NULL, NULL, NULL, NULL, NULL, k0, event AS moment, 0 AS asks, event FROM states0 WHERE next IS NULL OR next > event
    ) u
  ) v WHERE asks = 1
), met1 AS ( -- the last event of stats before each entity row
  SELECT t, c0, c1, c2, c3, c4, m0, m1 FROM (
    SELECT t, c0, c1, c2, c3, c4, m0, asks, max(event) OVER (PARTITION BY k0 ORDER BY moment, asks ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS m1 FROM (
      SELECT t, c0, c1, c2, c3, c4, m0, c1 AS k0, t AS moment, 1 AS asks, CAST(NULL AS BIGINT) AS event FROM met0
      UNION ALL
      SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, k0, event AS moment, 0 AS asks, event FROM states0 WHERE next IS NULL OR next > event
    ) u
  ) v WHERE asks = 1
), met2 AS ( -- the last event of places before each entity row
  SELECT t, c0, c1, c2, c3, c4, m0, m1, m2 FROM (
    SELECT t, c0, c1, c2, c3, c4, m0, m1, asks, max(event) OVER (PARTITION BY k0, k1 ORDER BY moment, asks ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS m2 FROM (
      SELECT t, c0, c1, c2, c3, c4, m0, m1, c2 AS k0, c3 AS k1, t AS moment, 1 AS asks, CAST(NULL AS BIGINT) AS event FROM met1
      UNION ALL
      SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, k0, k1, event AS moment, 0 AS asks, event FROM states1 WHERE next IS NULL OR next > event
    ) u
  ) v WHERE asks = 1
)
SELECT
  e.c0 AS `driver_id`,
  e.c1 AS `origin's ``id"`,
  e.c2 AS `city`,
  e.c3 AS `zone`,
  e.c4 AS `at`,
  CASE WHEN j0.e0 >= e.t - 90000000000 THEN j0.v0 END AS `rate`,
  CASE WHEN j0.e1 >= e.t - 90000000000 THEN timestamp_micros(j0.v1 div 1000) END AS `seen`,
  CASE WHEN j0.e2 >= e.t - 90000000000 THEN j0.v2 ELSE CAST('0' AS BIGINT) END AS `trips`,
  CASE WHEN j0.e3 >= e.t - 90000000000 THEN j0.v3 END AS `spent`,
  CASE WHEN j0.e4 >= e.t - 90000000000 THEN j0.v4 END AS `top`,
  CASE WHEN j0.e5 >= e.t - 90000000000 THEN j0.v5 END AS `low`,
  CASE WHEN j0.e6 >= e.t - 90000000000 THEN j0.v6 END AS `tags`,
  CASE WHEN j0.e7 >= e.t - 90000000000 THEN j0.v7 END AS `mark`,
  CASE WHEN j1.e0 >= e.t - 90000000000 THEN j1.v0 END AS `origin__rate`,
  CASE WHEN j2.e0 IS NOT NULL THEN j2.v0 ELSE 'it\'s \\ here' END AS `kind`,
  CASE WHEN j2.e1 IS NOT NULL THEN j2.v1 END AS `taste`
FROM met2 e
LEFT JOIN states0 j0 ON j0.k0 = e.c0 AND j0.event = e.m0 AND (j0.next IS NULL OR j0.next > j0.event)
LEFT JOIN states0 j1 ON j1.k0 = e.c1 AND j1.event = e.m1 AND (j1.next IS NULL OR j1.next > j1.event)
LEFT JOIN states1 j2 ON j2.k0 = e.c2 AND j2.k1 = e.c3 AND j2.event = e.m2 AND (j2.next IS NULL OR j2.next > j2.event)
;
