package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"featurestore/consistency"
	"featurestore/feature"
	"featurestore/feature/definition"
	"featurestore/feature/ondemand"
)

// A block is one fenced block of a page.
type block struct {
	lang, text string
	line       int // of the opening fence, from 1
}

// blocksOf returns the fenced blocks of a page in order.
func blocksOf(page string) []block {
	var all []block
	var open *block
	line := 0
	for text := range strings.Lines(page) {
		line++
		fence, isFence := strings.CutPrefix(text, "```")
		switch {
		case open != nil && isFence:
			all, open = append(all, *open), nil
		case open != nil:
			open.text += text
		case isFence:
			open = &block{lang: strings.TrimSpace(fence), line: line}
		}
	}
	return all
}

var shellComment = regexp.MustCompile(`(^|\s)# .*$`)

// commandsOf returns the commands of a shell block: lines that end in a
// backslash, or within a quotation, go on below.
func commandsOf(text string) []string {
	var all []string
	command := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if begun, more := strings.CutSuffix(line, `\`); more {
			command += begun
			continue
		}
		command += shellComment.ReplaceAllString(line, "")
		if strings.Count(command, "'")%2 == 1 {
			command += "\n"
			continue
		}
		if command = strings.TrimSpace(command); command != "" {
			all = append(all, command)
		}
		command = ""
	}
	return all
}

var (
	curlURL  = regexp.MustCompile(`http://127\.0\.0\.1:8080(/\S*)`)
	curlBody = regexp.MustCompile(`(?s)(?:--json|-d) '([^']*)'`)
)

// curlOf returns the path and the body of a curl command that posts JSON.
func curlOf(command string) (path, body string, err error) {
	url, data := curlURL.FindStringSubmatch(command), curlBody.FindStringSubmatch(command)
	if url == nil || data == nil {
		return "", "", fmt.Errorf("%s\nposts nothing to http://127.0.0.1:8080", command)
	}
	return url[1], data[1], nil
}

// waits are lines that take the time and let it pass.
var waits = regexp.MustCompile(`^(([a-z]+=\$\(date -u [^;)]+\)|sleep \d+)(; |$))+$`)

// checkCommand says why a command line that is not run here could not work: a
// command or flag that the program lacks, a program that the module lacks.
func checkCommand(command string) error {
	if waits.MatchString(command) {
		return nil
	}
	words := strings.Fields(command)
	if len(words) == 2 && words[0] == "make" {
		rules, err := os.ReadFile(filepath.Join(moduleRoot, "Makefile"))
		if err == nil && !strings.Contains("\n"+string(rules), "\n"+words[1]+":") {
			err = fmt.Errorf("%s\nnames a target that is not there", command)
		}
		return err
	}
	if len(words) < 3 || words[0] != "go" || words[1] != "run" && words[1] != "build" && words[1] != "test" {
		return fmt.Errorf("%s\nis a command that no check knows", command)
	}
	at := slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, "/") })
	if at < 0 {
		return fmt.Errorf("%s\nnames no package", command)
	}
	dir := filepath.Join(moduleRoot, filepath.FromSlash(strings.TrimSuffix(words[at], "...")))
	if found, err := os.Stat(dir); err != nil || !found.IsDir() {
		return fmt.Errorf("%s\nnames %s, which is not there", command, words[at])
	}
	if words[1] != "run" || words[at] != "./cmd/featurestore" {
		return nil
	}
	root := newRoot(&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	found, rest, err := root.Find(words[at+1:])
	if err == nil && found == root {
		err = fmt.Errorf("no command %q", rest)
	}
	if err == nil {
		err = found.ParseFlags(rest)
	}
	if err != nil {
		return fmt.Errorf("%s\n%w", command, err)
	}
	for _, name := range []string{"definitions", "config"} {
		f := found.Flags().Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		if _, err := os.Stat(filepath.Join(moduleRoot, f.Value.String())); err != nil {
			return fmt.Errorf("%s\nnames %s, which is not there", command, f.Value)
		}
	}
	return nil
}

// checkDefinitions says why definitions could not be applied to a new store.
func checkDefinitions(text string) error {
	d, err := definition.Parse("README.md", strings.NewReader(text))
	if err != nil {
		return err
	}
	plan, err := feature.NewRegistry().With(feature.Checks{
		Words: consistency.CheckWord, Reads: consistency.CheckRead, Floors: consistency.CheckFloors, OnDemand: ondemand.Check,
	}).Plan(d)
	if err == nil && plan.IsEmpty() {
		err = fmt.Errorf("the definitions define nothing")
	}
	return err
}

// TestReadmeChecksFindPlantedFaults is the negative control of the checks.
func TestReadmeChecksFindPlantedFaults(t *testing.T) {
	blocks := blocksOf("a\n```sh\ngo run ./x \\\n  dev   # says\n# a note\ncurl -d '{\n}' http://127.0.0.1:8080/y\n```\n```\nplain\n```\n")
	if len(blocks) != 2 || blocks[0].lang != "sh" || blocks[1].line != 9 {
		t.Fatalf("blocks %+v", blocks)
	}
	if got, want := commandsOf(blocks[0].text), []string{"go run ./x   dev", "curl -d '{\n}' http://127.0.0.1:8080/y"}; !slices.Equal(got, want) {
		t.Errorf("commands %q, want %q", got, want)
	}
	const answer = `{"rows": [{"id": 1, "values": [0.5], "statuses": ["PRESENT"]}, {"id": 2}], "session": "b", "met": {"level": "session", "ms": 0}}`
	const right = `{"rows": [{"id": 1, "values": [0.7], "statuses": ["PRESENT"]}, …], "session": "a", "met": {"level": "session", …}}`
	const views = "project: p\nentities: [{name: e, join_keys: [{name: id, type: int64}]}]\nviews: [{name: v, entity: e, features: [{name: f, type: int64}]}]\n"
	for _, c := range []struct{ claim, want, block string }{
		{"an answer as it is", "", right},
		{"a member that the answer lacks", `shown with "region"`, strings.Replace(right, `"session": "a"`, `"session": "a", "region": "eu"`, 1)},
		{"a member that the page lacks", `has "session"`, strings.Replace(right, `"session": "a", `, "", 1)},
		{"another status", "shown as NOT_FOUND", strings.Replace(right, "PRESENT", "NOT_FOUND", 1)},
		{"another number of values", "shown with 2 elements", strings.Replace(right, "0.7", "0.7, 1", 1)},
		{"a value of another kind", "shown as high", strings.Replace(right, "0.7", `"high"`, 1)},
		{"too few rows", "shown with 1 elements", strings.Replace(right, ", …]", "]", 1)},
		{"no JSON", "no JSON", `{"rows": …}`},
		{"definitions in order", "", views},
		{"a type that is not there", "int65", strings.Replace(views, "f, type: int64", "f, type: int65", 1)},
		{"an entity that is not there", "driver", strings.Replace(views, "entity: e", "entity: driver", 1)},
		{"a word of definitions that is not there", "feature", strings.Replace(views, "features", "columns", 1)},
		{"commands in order", "", "go run ./cmd/featurestore dev --listen 127.0.0.1:0"},
		{"a lookup in order", "", "go run ./cmd/featurestore get --service driver_v1 driver_id=1"},
		{"a program that is not there", "not there", "go run ./cmd/featureshop dev"},
		{"a command that is not there", "no command", "go run ./cmd/featurestore fetch"},
		{"a flag that is not there", "unknown flag", "go run ./cmd/featurestore dev --sample"},
		{"a folder that is not there", "not there", "go run ./cmd/featurestore dev --definitions examples/offline_retail"},
		{"a target in order", "", "make check"},
		{"a target that is not there", "not there", "make haste"},
		{"times and a pause", "", "from=$(date -u +%H:%M); sleep 2; to=$(date -u +%H:%M)"},
		{"a pause and a command of others", "no check knows", "sleep 2; docker run featurestore"},
		{"a command of others", "no check knows", "docker run featurestore"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			var err error
			switch {
			case strings.HasPrefix(c.block, "{"):
				err = checkAnswer(c.block, answer)
			case strings.HasPrefix(c.block, "project"):
				err = checkDefinitions(c.block)
			default:
				err = checkCommand(c.block)
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that says %q", err, c.want)
			}
		})
	}
}
