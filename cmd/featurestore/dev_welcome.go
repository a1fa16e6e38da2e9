package main

import (
	"fmt"
	"strings"

	"featurestore/replica"
)

// welcome prints what a newcomer copies: each command is one line.
func welcome(a *app, c replica.Config, stores *deployment) {
	for i, r := range stores.replicas {
		what := "A feature store in region"
		if i > 0 {
			what = "             and in region"
		}
		fmt.Fprintf(a.out, "%s %s at %s\n", what, stores.names[i], r.URL())
	}
	fmt.Fprintf(a.out, welcomeSample, stores.first().URL(), c.Data, sampleDrivers)
	if len(stores.names) > 1 {
		near, far := stores.names[0], stores.names[1]
		fmt.Fprintf(a.out, welcomeRegions, stores.first().URL(), stores.replicas[1].URL(), near, far, oneLine(pushAndKeepToken(stores.first().URL())))
	}
	fmt.Fprintf(a.out, welcomeEnd, stores.first().URL())
}

// pushAndKeepToken pushes a row and keeps the session's token in a variable.
func pushAndKeepToken(url string) string {
	return fmt.Sprintf(`session=$(curl -s --json '{"view": "driver_stats", "rows": [{"driver_id": 1001, "trips": {"increment": 1}}]}'
 %s/v1/projects/rides/push | sed 's/.*"session": *"\([^"]*\)".*/\1/')`, url)
}

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "") }

const welcomeSample = `with a generated sample: project rides, %[3]d drivers, a few rows a second arriving. Data in %[2]s.

Look features up:
  curl -s --json '{"service": "driver_v1", "entities": {"driver_id": [1001, 1002]}, "request": {"demand": [1.5, 2.0]}}' %[1]s/v1/projects/rides/lookup

The same as Feast's clients ask:
  curl -s --json '{"features": ["driver_stats:conv_rate", "driver_stats:trips"], "entities": {"driver_id": [1001, 1002]}}' %[1]s/get-online-features
`

const welcomeRegions = `
Make %[3]s far from %[4]s, push in %[3]s, and read in %[4]s: stale at level eventual, right at level session, which waits.
  curl -s -X PUT --json '{"delay": "2s"}' %[1]s/v1/links/%[3]s/%[4]s
  %[5]s; curl -s -H 'Featurestore-Consistency: eventual' --json '{"features": ["driver_stats:trips"], "entities": {"driver_id": [1001]}}' %[2]s/v1/projects/rides/lookup; curl -s -H "Featurestore-Session: $session" -H 'Featurestore-Consistency: session; within=5s' -H 'Featurestore-Timeout: 6s' --json '{"features": ["driver_stats:trips"], "entities": {"driver_id": [1001]}}' %[2]s/v1/projects/rides/lookup
`

const welcomeEnd = `
Next: featurestore lag --watch, %[1]s/openapi.json, %[1]s/metrics, featurestore --help
ready
`
