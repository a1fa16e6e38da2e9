package consistency

import (
	"strings"
	"testing"
	"time"

	"featurestore/feature"
)

func TestCheckWordKnowsEverySetting(t *testing.T) {
	for _, tt := range []struct{ field, text, says string }{
		{"read.level", "session", ""},
		{"read.level", "strong", "use eventual"},
		{"read.fallback", "wait:30ms", ""},
		{"read.fallback", "wait", "positive duration"},
		{"write.concern", "any:2", ""},
		{"write.concern", "majority", "use local"},
		{"durability", "quorum", ""},
		{"durability", "some", "use local"},
		{"write.on_timeout", "degrade", ""},
		{"write.on_timeout", "retry", "use error, degrade or wait"},
		{"read.colour", "blue", "not a setting"},
	} {
		err := CheckWord(tt.field, tt.text)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %s: got %v, want an error that says %q", tt.field, tt.text, err, tt.says)
		}
	}
}

func TestCheckReadLooksAtTheSettingsTogether(t *testing.T) {
	for _, tt := range []struct {
		read feature.ReadDefaults
		says string
	}{
		{feature.ReadDefaults{}, ""},
		{feature.ReadDefaults{Level: "bounded", MaxStaleness: time.Second, Fallback: []string{"wait:1s", "fail"}}, ""},
		{feature.ReadDefaults{Level: "bounded"}, "needs max-staleness"},
		{feature.ReadDefaults{Level: "session", MaxStaleness: time.Second}, "belongs to read level bounded"},
		{feature.ReadDefaults{MaxStaleness: time.Second}, "without a level"},
		{feature.ReadDefaults{Level: "session", Fallback: []string{"fail", "forward"}}, "does not fit"},
		{feature.ReadDefaults{Level: "strong", Fallback: []string{"never"}}, ""}, // CheckWord says it
	} {
		err := CheckRead(tt.read)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: got %v, want an error that says %q", tt.read, err, tt.says)
		}
	}
}
