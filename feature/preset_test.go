package feature_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"featurestore/feature"
)

// presetRows is what each preset stands for, as plan prints it.
var presetRows = map[string]string{
	"mysql": "placement: leader, partitions: 1, durability: any:1, conflict: write_time, read.level: leader, " +
		"write.concern: any:1, write.timeout: 10s, write.on_timeout: error",
	"postgres": "placement: leader, partitions: 1, durability: any:1, conflict: write_time, read.level: bounded, read.max_staleness: 2s, " +
		"read.fallback: [wait:30ms, forward, fail], write.concern: any:1, write.on_timeout: wait",
	"mongodb": "placement: leader, partitions: 1, durability: quorum, conflict: write_time, read.level: session, " +
		"read.fallback: [wait:50ms, forward, fail], write.concern: quorum, write.timeout: 5s, write.on_timeout: error",
	"cassandra": "placement: leaderless, partitions: 1, conflict: write_time, read.level: quorum, read.read_repair: blocking, " +
		"write.concern: quorum, write.timeout: 2s, write.on_timeout: error",
	"dynamodb": "placement: multi_leader, partitions: 1, conflict: write_time, read.level: eventual, " +
		"write.concern: region_quorum, write.on_timeout: error",
	"redis": "placement: leader, partitions: 1, durability: local, conflict: write_time, read.level: eventual, " +
		"write.concern: local, write.on_timeout: error",
	"redis-cluster": "placement: leader, partitions: 256, durability: local, routing: redirect, conflict: write_time, read.level: leader, " +
		"write.concern: local, write.on_timeout: error",
	"couchdb": "placement: multi_leader, partitions: 1, conflict: siblings, read.level: eventual, " +
		"write.concern: local, write.on_timeout: error",
	"riak": "placement: leaderless, partitions: 1, conflict: siblings, read.level: quorum, read.read_repair: blocking, " +
		"write.concern: quorum, write.on_timeout: error",
	"cosmos": "placement: multi_leader, partitions: 1, conflict: write_time, read.level: session, " +
		"read.fallback: [wait:30ms, forward, fail], write.concern: region_quorum, write.on_timeout: error",
}

func TestPresetStandsForItsRow(t *testing.T) {
	if len(presetRows) != len(feature.Presets()) {
		t.Errorf("%d rows, presets %v", len(presetRows), feature.Presets())
	}
	for _, name := range feature.Presets() {
		t.Run(name, func(t *testing.T) {
			g, err := feature.Group{Name: "g", Preset: name}.Expand(false, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := g.SettingsText(); got != presetRows[name] {
				t.Errorf("got  %s\nwant %s", got, presetRows[name])
			}
			if again, err := g.Expand(true, true); err != nil || !reflect.DeepEqual(again, g) {
				t.Errorf("expanded again: %+v, %v, want %+v", again, err, g)
			}
			if g.Read.Fallback != nil {
				g.Read.Fallback[0] = "changed"
			}
			if fresh, _ := feature.Preset(name); fresh.SettingsText() != presetRows[name] {
				t.Error("the table shares a slice with what it gave")
			}
		})
	}
}

func TestSettingsBesideAPresetOverrideIt(t *testing.T) {
	own := feature.Group{
		Name: "g", Preset: "postgres", Placement: feature.MultiLeader, Conflict: feature.EventTime, Partitions: 4, Durability: "quorum",
		Read:  feature.ReadDefaults{MaxStaleness: 5 * time.Second, Fallback: []string{"fail"}, AtLeast: "session"},
		Write: feature.WriteDefaults{Concern: "quorum", Timeout: time.Second, OnTimeout: "degrade", AtLeast: "any:1"},
	}
	got, err := own.Expand(true, true)
	want := own
	want.Read.Level = "bounded"
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	// Another level takes the preset's staleness with it.
	got, err = feature.Group{Preset: "postgres", Read: feature.ReadDefaults{Level: "leader"}}.Expand(false, false)
	if err != nil || got.Read.MaxStaleness != 0 || got.Placement != feature.Leader {
		t.Errorf("got %+v, %v, want level leader alone", got, err)
	}
}

func TestUnknownPresetListsThoseThereAre(t *testing.T) {
	_, err := feature.Group{Preset: "access"}.Expand(false, false)
	if want := `preset "access" is not known; use one of mysql, postgres, mongodb, cassandra, dynamodb, redis, redis-cluster, couchdb, riak, cosmos`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	d := rides()
	d.Groups = []feature.Group{{Name: "g", Preset: "access"}}
	if _, err := feature.NewRegistry().Plan(d); err == nil || !strings.Contains(err.Error(), `groups[g].preset: preset "access" is not known; use one of mysql, `) {
		t.Errorf("plan: %v", err)
	}
}

func TestPlanShowsWhatAPresetStandsFor(t *testing.T) {
	d := rides()
	g, err := feature.Group{Name: "g", Preset: "redis"}.Expand(false, false)
	if err != nil {
		t.Fatal(err)
	}
	d.Groups = append(d.Groups, g)
	p, err := feature.NewRegistry().Plan(d)
	if want := "+ group g (preset redis: " + presetRows["redis"] + ")"; err != nil || !strings.Contains(p.String(), want) {
		t.Errorf("got %v, %v\nwant %s", p, err, want)
	}
}

func TestRuleOfAGroupIsOneForEveryType(t *testing.T) {
	d := rides()
	d.Groups = append(d.Groups, feature.Group{Name: "g", Conflict: feature.Counter})
	if _, err := feature.NewRegistry().Plan(d); err == nil || !strings.Contains(err.Error(), "groups[g].conflict: counter is not for every type") {
		t.Errorf("got %v", err)
	}
}
