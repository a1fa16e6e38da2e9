package meta

import (
	"errors"
	"strings"
	"testing"
)

func TestChangesSayWhatTheyNeed(t *testing.T) {
	for _, tt := range []struct {
		change Change
		want   error
		text   string
	}{
		{Change{Action: Add, Store: "ap-1", Region: "ap", Address: "127.0.0.1:9082"}, nil, "add store ap-1 in region ap at 127.0.0.1:9082"},
		{Change{Action: Drop, Store: "ap-1"}, nil, "remove store ap-1"},
		{Change{Action: Expel, Store: "ap-1"}, nil, "evict store ap-1"},
		{Change{Action: Assume, Store: "us-1"}, nil, "make store us-1 the home"},
		{Change{Action: Assume}, ErrRefused, ""},
		{Change{Action: Add, Store: "ap-1", Region: "ap"}, ErrRefused, ""},
		{Change{Action: Add, Store: "ap-1", Address: "127.0.0.1:9082"}, ErrRefused, ""},
		{Change{Action: Add, Store: "ap-1", Region: "a p", Address: "127.0.0.1:9082"}, ErrRefused, ""},
		{Change{Action: Add, Store: "ap-1", Region: "-ap", Address: "127.0.0.1:9082"}, ErrRefused, ""},
		{Change{Action: Add, Store: "ap/1", Region: "ap", Address: "127.0.0.1:9082"}, ErrRefused, ""},
		{Change{Action: Add, Store: "ap-1", Region: Region(strings.Repeat("a", MaxNameBytes+1)), Address: "127.0.0.1:9082"}, ErrRefused, ""},
		{Change{Action: Expel}, ErrRefused, ""},
		{Change{Action: Expel, Store: "ap-1", Region: "ap"}, ErrRefused, ""},
		{Change{Action: Promote, Store: "ap-1", Group: 3, Partition: -1}, nil, "promote store ap-1 in group 3"},
		{Change{Action: Promote, Store: "ap-1", Group: 3, Partition: 2, Force: true}, nil, "promote store ap-1 in group 3, partition 2, by force"},
		{Change{Action: Promote, Group: 3}, ErrRefused, ""},
		{Change{Action: Expel, Store: "ap-1", Force: true}, ErrRefused, ""},
		{Change{Action: "elect", Store: "ap-1"}, ErrRefused, ""},
		{Change{Store: "ap-1"}, ErrRefused, ""},
	} {
		if err := tt.change.Validate(); !errors.Is(err, tt.want) {
			t.Errorf("%+v: got %v, want %v", tt.change, err, tt.want)
		}
		if tt.text != "" && tt.change.String() != tt.text {
			t.Errorf("%+v prints %q, want %q", tt.change, tt.change, tt.text)
		}
	}
}
