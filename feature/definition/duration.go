package definition

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"featurestore/feature"
)

const day = 24 * time.Hour

// parseDuration reads a Go duration that may begin with days: "90s", "30d",
// "1d12h". A day is 24 hours.
func parseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration such as 500ms, 24h or 30d", feature.Clip(s))
	number, rest, days := strings.Cut(s, "d")
	if !days {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, bad
		}
		return d, nil
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 || number[0] == '+' || n > int64(math.MaxInt64/day) {
		return 0, bad
	}
	d := time.Duration(n) * day
	if rest == "" {
		return d, nil
	}
	r, err := time.ParseDuration(rest)
	if err != nil || r < 0 || rest[0] == '+' || d+r < d {
		return 0, bad
	}
	return d + r, nil
}

// formatDuration writes d in the shortest form that parseDuration reads back.
func formatDuration(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (r *reader) duration(n ast.Node) time.Duration {
	n = r.resolve(n)
	if n == nil {
		return 0
	}
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		if v := n.GetToken().Value; v != "0" {
			r.fault(n, "a duration needs a unit, such as %ss", feature.Clip(v))
		}
		return 0
	}
	before := r.count()
	s := r.text(n, "24h")
	if r.count() > before {
		return 0
	}
	d, err := parseDuration(s)
	if err != nil {
		r.fault(n, "%v", err)
	}
	return d
}
