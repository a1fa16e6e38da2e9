package relay

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestLinksHaveADirection(t *testing.T) {
	links := NewLinks("eu", "us")
	want := Link{Delay: time.Second, Loss: 0.1, Cut: true}
	if err := links.Set("eu", "us", want); err != nil {
		t.Fatal(err)
	}
	if got := links.Link("eu", "us"); got != want {
		t.Errorf("from eu to us: %+v, want %+v", got, want)
	}
	if got := links.Link("us", "eu"); got != (Link{}) {
		t.Errorf("from us to eu: %+v, want nothing changed", got)
	}
}

func TestSetNamesWhatIsWrong(t *testing.T) {
	links := NewLinks("eu", "us")
	for _, x := range []struct {
		from, to string
		link     Link
		want     []string
	}{
		{"eu", "ap", Link{}, []string{`"ap"`, `["eu" "us"]`}},
		{"eu", "eu", Link{}, []string{"one region"}},
		{"eu", "us", Link{Delay: -1, Loss: 1.5}, []string{"delay", "loss"}},
		{"eu", "us", Link{Delay: time.Hour, Loss: math.NaN()}, []string{"1m0s", "loss"}},
	} {
		err := links.Set(x.from, x.to, x.link)
		for _, want := range x.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("set %s to %s, %+v: %v, want it to name %s", x.from, x.to, x.link, err, want)
			}
		}
	}
	if got := links.Link("eu", "us"); got != (Link{}) {
		t.Errorf("a refused link took hold: %+v", got)
	}
}

func TestAChangeIsHeardOf(t *testing.T) {
	links := NewLinks("eu", "us")
	_, changed := links.watch("us", "eu")
	if err := links.Set("eu", "us", Link{Cut: true}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("the watcher did not hear")
	}
}
