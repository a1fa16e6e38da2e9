package replica

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// configFile writes a configuration file and returns its path.
func configFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const minimal = "region: eu\nstore: eu-1\ndata: ./data\n"

func TestLaterLayersWin(t *testing.T) {
	path := configFile(t, minimal+"listen: 127.0.0.1:1\ndrain: 1s\nmax_rows: 7\nhot_bytes: 64MiB\nlog_level: warn\n")
	env := []string{"FEATURESTORE_LISTEN=127.0.0.1:2", "FEATURESTORE_DRAIN=2s", "FEATURESTORE_URL=http://x", "PATH=/bin"}
	c, err := Load(Sources{File: path, Environ: env, Others: []string{"FEATURESTORE_URL"}, Flags: map[string]string{"listen": "127.0.0.1:3"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		claim     string
		got, want any
	}{
		{"a flag wins over all", c.Listen, "127.0.0.1:3"},
		{"a variable wins over the file", c.Drain, 2 * time.Second},
		{"the file is read", c.Limits.Rows, 7},
		{"sizes have units", c.HotBytes, int64(64 << 20)},
		{"levels have names", c.LogLevel.String(), "WARN"},
		{"paths in the file are taken from its folder", c.Data, filepath.Join(filepath.Dir(path), "data")},
	} {
		if f.got != f.want {
			t.Errorf("%s: got %v, want %v", f.claim, f.got, f.want)
		}
	}
}

func TestLoadNamesWhatIsWrongAndWhere(t *testing.T) {
	for _, c := range []struct {
		claim, file string
		env         []string
		flags       map[string]string
		want        []string // parts of the error
	}{
		{claim: "an unknown key, with its line and the nearest", file: minimal + "lisen: x\n", want: []string{"store.yaml:4:1: there is no setting \"lisen\"; did you mean listen?"}},
		{claim: "a key far from any", file: minimal + "zzzzzzzzzzzz: x\n", want: []string{`there is no setting "zzzzzzzzzzzz"; the settings are region, store`}},
		{claim: "an unknown variable", file: minimal, env: []string{"FEATURESTORE_DRIAN=1s"}, want: []string{"FEATURESTORE_DRIAN: there is no setting \"drian\"; did you mean drain?"}},
		{claim: "a peer without an address", file: minimal + "peers: [{region: us}]\n", want: []string{"store.yaml:4:1: peers[0] needs a region and an address"}},
		{claim: "a peer with a key that it has not", file: minimal + "peers: [{region: us, adress: x:1}]\n", want: []string{"store.yaml:4:1: peers[0].adress is not known; a peer has region and address"}},
		{claim: "a peer that is no map", file: minimal + "peers: [us]\n", want: []string{"store.yaml:4:1: peers[0] is us: write it as {region: us, address: 127.0.0.1:9081}"}},
		{claim: "peers in a variable", file: minimal, env: []string{"FEATURESTORE_PEERS=us"}, want: []string{`FEATURESTORE_PEERS: peers: "us" is not a peer such as us=127.0.0.1:9081`}},
		{claim: "peers without what they need", file: minimal + "peers: [{region: us, address: 127.0.0.1:9081}]\n", want: []string{"peers are set and peer_listen is not"}},
		{claim: "an address for peers without a secret", file: minimal + "peer_listen: 127.0.0.1:9080\n", want: []string{"peer_listen is set and secret_file is not"}},
		{claim: "an address for peers that others reach", file: minimal + "peer_listen: 0.0.0.0:9080\nsecret_file: s\n", want: []string{`peer_listen is "0.0.0.0:9080", which other machines reach`}},
		{claim: "peers that cannot be", file: minimal + "peer_listen: 127.0.0.1:9080\nsecret_file: s\npeers:\n  - {region: eu, address: 127.0.0.1:1}\n  - {region: us, address: here}\n  - {region: us, address: 127.0.0.1:2}\n",
			want: []string{"peers[0] is of region eu, as this store is", `peers[1].address is "here": write it as host:port`, "peers[2]: region us is there twice"}},
		{claim: "times of the log that cannot be", file: minimal + "log_min_age: 48h\nlog_max_age: 24h\ntombstone_grace: -1s\n", want: []string{"log_max_age is 24h0m0s, and log_min_age 48h0m0s", "tombstone_grace is -1s"}},
		{claim: "several faults at once, each with its place", file: minimal + "drain: soon\nmax_rows: many\n", env: []string{"FEATURESTORE_LOG_LEVEL=loud"},
			want: []string{`store.yaml:4:1: drain: "soon" is not a duration such as`, `store.yaml:5:1: max_rows: "many" is not a whole number`, `FEATURESTORE_LOG_LEVEL: log_level: "loud" is not debug, info`}},
		{claim: "a size without sense", file: minimal, flags: map[string]string{"hot_bytes": "9XB"}, want: []string{`flag --hot-bytes: hot_bytes: "9XB" is not a size such as 64MiB`}},
		{claim: "a list where one value belongs", file: minimal + "listen: [a, b]\n", want: []string{"listen takes one value"}},
		{claim: "YAML that is none", file: "region: [\n", want: []string{"store.yaml:"}},
		{claim: "a file without keys", file: "just text\n", want: []string{"it holds no keys"}},
		{claim: "a key that stands twice", file: minimal + "store: b\n", want: []string{"store.yaml:"}},
		{claim: "what is required", file: "listen: 127.0.0.1:0\n", want: []string{"region is empty", "store is empty", "data is empty"}},
		{claim: "an address that others reach", file: minimal + "listen: 0.0.0.0:8080\n", want: []string{`listen is "0.0.0.0:8080", which other machines reach`, "allow_insecure: true"}},
		{claim: "an address without a host", file: minimal + "listen: :8080\n", want: []string{"which other machines reach"}},
		{claim: "an address without a port", file: minimal + "listen: localhost\n", want: []string{"write it as host:port"}},
		{claim: "limits that contradict each other", file: minimal + "max_held_bytes: 1MiB\n", want: []string{"Limits.HeldBytes is 1048576"}},
		{claim: "a ratio beyond one", file: minimal + "otlp_trace_ratio: 2\notlp_endpoint: collector\n", want: []string{"otlp_trace_ratio is 2", `otlp_endpoint is "collector"`}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			_, err := Load(Sources{File: configFile(t, c.file), Environ: c.env, Flags: c.flags})
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
}

func TestPeersAreReadFromFileAndVariable(t *testing.T) {
	want := []Peer{{Region: "us", Address: "127.0.0.1:9081"}, {Region: "ap", Address: "127.0.0.1:9082"}}
	path := configFile(t, minimal+"peer_listen: 127.0.0.1:9080\nsecret_file: ./secret\npeers:\n  - {region: us, address: 127.0.0.1:9081}\n  - {region: ap, address: 127.0.0.1:9082}\n")
	c, err := Load(Sources{File: path})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Peers, want) || c.PeerListen != "127.0.0.1:9080" || c.SecretFile != filepath.Join(filepath.Dir(path), "secret") {
		t.Errorf("got the peers %v, peer_listen %s and secret_file %s", c.Peers, c.PeerListen, c.SecretFile)
	}
	c, err = Load(Sources{File: path, Environ: []string{"FEATURESTORE_PEERS=us=127.0.0.1:9081, ap=127.0.0.1:9082"}})
	if err != nil || !slices.Equal(c.Peers, want) {
		t.Errorf("from a variable: got %v, %v", c.Peers, err)
	}
}

func TestListenBeyondLoopbackIsASwitch(t *testing.T) {
	for address, insecure := range map[string]bool{"127.0.0.1:0": false, "[::1]:80": false, "localhost:80": false, "10.0.0.1:80": true, "store.example:80": true} {
		if err := checkListen("listen", address, false); (err != nil) != insecure {
			t.Errorf("%s: got %v, insecure is %v", address, err, insecure)
		}
		if err := checkListen("listen", address, true); err != nil {
			t.Errorf("%s with the switch: got %v", address, err)
		}
	}
}

func TestSettingsHaveOneNameEverywhere(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Settings() {
		if s.Help == "" || seen[s.Key] || strings.ToLower(s.Key) != s.Key {
			t.Errorf("setting %q: it needs help, and a name of its own in lower case", s.Key)
		}
		seen[s.Key] = true
		if s.Default != "" && !strings.Contains(s.Default, "<") {
			if err := s.set(&Config{}, s.Default); err != nil {
				t.Errorf("the default of %s that help shows is refused: %v", s.Key, err)
			}
		}
	}
}
