package export

import (
	"fmt"
	"strconv"
	"strings"

	"featurestore/api"
	"featurestore/feature"
	"featurestore/hlc"
)

func shardText(s feature.Shard) string { return fmt.Sprintf("%d/%d", s.Group, s.Partition) }

func parseShard(text string) (feature.Shard, error) {
	group, partition, _ := strings.Cut(text, "/")
	g, err := strconv.ParseUint(group, 10, 16)
	if err != nil {
		return feature.Shard{}, fmt.Errorf("shard is %q, want group/partition such as 0/0", text)
	}
	n, err := strconv.ParseUint(partition, 10, 16)
	if err != nil {
		return feature.Shard{}, fmt.Errorf("shard is %q, want group/partition such as 0/0", text)
	}
	return feature.Shard{Group: feature.GroupID(g), Partition: uint16(n)}, nil
}

func parseOrigin(text string) (hlc.Origin, error) {
	digits, ok := strings.CutPrefix(text, "o")
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil {
		return 0, fmt.Errorf("origin is %q, want one such as o7", text)
	}
	return hlc.Origin(n), nil
}

// vectors reads the progress of an earlier manifest.
func vectors(m *api.HistoryManifest) (map[feature.Shard]hlc.Vector, error) {
	out := map[feature.Shard]hlc.Vector{}
	for i, p := range m.Progress {
		shard, err := parseShard(p.Shard)
		if err != nil {
			return nil, fmt.Errorf("progress[%d]: %w", i, err)
		}
		origin, err := parseOrigin(p.Origin)
		if err != nil {
			return nil, fmt.Errorf("progress[%d]: %w", i, err)
		}
		at, err := hlc.Parse(p.At)
		if err != nil {
			return nil, fmt.Errorf("progress[%d]: at: %w", i, err)
		}
		if out[shard] == nil {
			out[shard] = hlc.Vector{}
		}
		out[shard][origin] = max(out[shard][origin], at)
	}
	return out, nil
}
