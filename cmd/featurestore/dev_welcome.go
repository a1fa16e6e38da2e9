package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"featurestore/replica"
)

// tourDelay is how far the tour puts a region away: enough to be seen, and less
// than the 500 ms of silence after which a store asks another one for the log.
const tourDelay = "400ms"

// welcome prints what a newcomer copies: a command is one line, indented; lines
// that stand together are copied together.
func welcome(a *app, c replica.Config, stores []*devStore) {
	if len(stores) == 0 {
		return // all were removed meanwhile
	}
	fmt.Fprintln(a.out, "A feature store in each of these regions:")
	var regions, urls []string
	for _, s := range stores {
		region, url := s.config.Region, s.replica().URL()
		fmt.Fprintf(a.out, "%s at %s\n", region, url)
		regions, urls = append(regions, region), append(urls, url)
	}
	fmt.Fprintf(a.out, "with a generated sample: project rides, %d drivers, a few rows a second arriving in %s. Data in %s.\n", sampleDrivers, regions[0], c.Data)
	fmt.Fprint(a.out, tour(programName(), regions, urls))
}

// tour writes the commands to try with stores in these regions, at these
// addresses.
func tour(program string, regions, urls []string) string {
	words := []string{"{url}", urls[0], "{near}", regions[0], "{cli}", program, "{at}", "", "{delay}", tourDelay}
	if urls[0] != defaultURL {
		words[7] = " --url " + urls[0]
	}
	text := tourLookups
	switch len(regions) {
	case 1:
	case 2:
		text += tourSession + tourCompare
	default:
		text += tourSession + tourCut + tourCompare
		words = append(words, "{third}", regions[2])
	}
	if len(regions) > 1 {
		words = append(words, "{far}", regions[1], "{far url}", urls[1])
	}
	return strings.NewReplacer(words...).Replace(text + tourEnd)
}

// programName is what a newcomer types to run this program again.
func programName() string {
	name := os.Args[0]
	if found, err := exec.LookPath("featurestore"); err == nil && found == name {
		return "featurestore"
	}
	// go run builds it into a folder that is gone when it ends.
	if strings.HasPrefix(name, os.TempDir()+string(filepath.Separator)+"go-build") {
		return "go run ./cmd/featurestore"
	}
	return name
}

const tourLookups = `
Look features up, natively and as Feast's clients do:
  curl -s --json '{"service": "driver_v1", "entities": {"driver_id": [1001, 1002]}, "request": {"demand": [1.5, 2.0]}}' {url}/v1/projects/rides/lookup
  curl -s --json '{"features": ["driver_stats:conv_rate", "driver_stats:trips"], "entities": {"driver_id": [1001, 1002]}}' {url}/get-online-features
`

const tourSession = `
Put {far} {delay} behind {near}:
  {cli} link {near} {far} --delay {delay}{at}

Push in {near} and read in {far} at once (three lines, copied together). Level eventual answers
with what is there, which is old. Level session waits for what the session wrote:
  session=$(curl -s -o /dev/null -w '%header{featurestore-session}' --json '{"view": "driver_stats", "rows": [{"driver_id": 1001, "trips": {"increment": 1}}]}' {url}/v1/projects/rides/push)
  curl -s -H 'Featurestore-Consistency: eventual' --json '{"features": ["driver_stats:trips"], "entities": {"driver_id": [1001]}}' {far url}/v1/projects/rides/lookup
  curl -s -H "Featurestore-Session: $session" -H 'Featurestore-Consistency: session; within=5s' --json '{"features": ["driver_stats:trips"], "entities": {"driver_id": [1001]}}' {far url}/v1/projects/rides/lookup

See how far each store is behind each other:
  {cli} lag --all{at}
`

const tourCut = `
Cut {near} off from {far}: what is pushed in {near} comes to {far} through {third}.
  {cli} link {near} {far} --both --cut{at}
  session=$(curl -s -o /dev/null -w '%header{featurestore-session}' --json '{"view": "driver_stats", "rows": [{"driver_id": 1001, "trips": {"increment": 1}}]}' {url}/v1/projects/rides/push)
  curl -s -H "Featurestore-Session: $session" -H 'Featurestore-Consistency: session; within=5s' -H 'Featurestore-Timeout: 6s' --json '{"features": ["driver_stats:trips"], "entities": {"driver_id": [1001]}}' {far url}/v1/projects/rides/lookup
`

const tourCompare = `
Heal the link, and compare the rows of {near} with those of the others:
  {cli} link {near} {far} --both --heal --delay 0s{at}
  {cli} verify-replicas{at}
`

const tourEnd = `
{url}/openapi.json, {url}/metrics, {cli} --help
ready
`
