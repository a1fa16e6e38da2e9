package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"featurestore/api"
	"featurestore/sdk"
)

type balance struct {
	ID    int64               `key:"account"`
	Cents sdk.Optional[int64] `feature:"balance:cents"`
}

type limit struct {
	ID   int64               `key:"account"`
	Most sdk.Optional[int64] `feature:"limit:most"`
}

// bankClients ask the stores of a deployment, each alone, by REST and by the SDK.
type bankClients struct {
	*testing.T
	urls map[string]string // by region
	sdk  map[string]*sdk.Client
	url  string // of the store that commands ask
}

// startBank starts a store in each of three regions, with definitions of the
// project bank.
func startBank(t *testing.T, definitions string) *bankClients {
	t.Helper()
	dir := t.TempDir()
	c := &bankClients{T: t, urls: map[string]string{}, sdk: map[string]*sdk.Client{}, url: startStore(t, dir, "dev", "--no-sample").url}
	file := filepath.Join(dir, "bank.yaml")
	if err := os.WriteFile(file, []byte(definitions), 0o600); err != nil {
		t.Fatal(err)
	}
	c.run("apply", file)
	var list api.Regions
	if err := json.Unmarshal([]byte(c.run("regions", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, x := range list.Regions {
		c.ask(x.Region, x.URL)
	}
	return c
}

// ask adds the store of a region. Nothing is tried again, or elsewhere.
func (c *bankClients) ask(region, url string) {
	c.Helper()
	client, err := sdk.New(sdk.Config{URLs: []string{url}, Project: "bank", Timeout: time.Second, Retry: sdk.Retry{Tries: 1}})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(client.Close)
	c.urls[region], c.sdk[region] = url, client
}

// run runs a command and returns what it printed.
func (c *bankClients) run(args ...string) string {
	c.Helper()
	out, err := exec.CommandContext(c.Context(), featurestoreBinary(c.T), append(args, "--url", c.url)...).CombinedOutput()
	if err != nil {
		c.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// rest returns the code of an answer, "" for a success, and its session.
func (c *bankClients) rest(region, path, body string, headers ...string) (api.Code, string) {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.urls[region]+"/v1/projects/bank/"+path, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	r.Header.Set("Content-Type", api.MediaJSON)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.Fatal(err)
	}
	var p api.Problem
	if err := json.Unmarshal(text, &p); err != nil {
		c.Fatalf("%v in %s", err, text)
	}
	if answer.StatusCode == http.StatusOK {
		p.Code = ""
	}
	return codeOf(&p), p.Session
}

// restCode is rest without the session.
func (c *bankClients) restCode(region, path, body string, headers ...string) api.Code {
	c.Helper()
	code, _ := c.rest(region, path, body, headers...)
	return code
}

// both compares what the two were answered.
func (c *bankClients) both(want, rest, bySDK api.Code) {
	c.Helper()
	if rest != want || bySDK != want {
		c.Errorf("got %q by REST and %q by the SDK, want %q", rest, bySDK, want)
	}
}

// code of an error of the SDK.
func (c *bankClients) code(err error) api.Code {
	var p *api.Problem
	if err != nil && !errors.As(err, &p) {
		c.Errorf("got %v, which is no answer of a store", err)
	}
	if p == nil {
		return ""
	}
	return codeOf(p)
}

// codeOf is that of the first row at fault, where rows are.
func codeOf(p *api.Problem) api.Code {
	if len(p.Rows) > 0 {
		return p.Rows[0].Code
	}
	return p.Code
}

func (c *bankClients) lookup(ctx context.Context, region string, read sdk.ReadOptions) api.Code {
	_, err := sdk.Lookup[balance](ctx, c.sdk[region], sdk.Features().At(read), sdk.Keys(balance{ID: 7}))
	return c.code(err)
}

// until asks again until a code comes, for a minute at most.
func (c *bankClients) until(want api.Code, what string, ask func() api.Code) {
	c.Helper()
	look, limit := time.NewTicker(20*time.Millisecond), time.Now().Add(time.Minute)
	defer look.Stop()
	for ; ; <-look.C {
		got := ask()
		if got == want {
			return
		}
		if time.Now().After(limit) {
			c.Fatalf("%s: got %q for a minute, want %q", what, got, want)
		}
	}
}
