package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// moduleRoot is where the README's commands are meant to be typed.
const moduleRoot = "../.."

// TestReadmeTellsTheTruth runs what the README shows, on free ports: no block
// of it goes unchecked.
func TestReadmeTellsTheTruth(t *testing.T) {
	blocks := blocksOf(readPage(t, "README.md"))
	kinds := map[string]int{}
	var question string // the curl command whose answer the next block shows
	var toured []string // commands of the tour
	for _, b := range blocks {
		at := fmt.Sprintf("README.md:%d", b.line)
		kinds[b.lang]++
		switch {
		case b.lang == "yaml":
			if err := checkDefinitions(b.text); err != nil {
				t.Errorf("%s: %v", at, err)
			}
		case b.lang == "json":
			t.Run("curl", func(t *testing.T) { showsAnswer(t, at, question, b.text) })
		case b.lang == "go":
			// It runs with the session, against that store.
		case b.lang == "sh" && strings.Contains(b.text, "featurestore init"):
			t.Run("session", func(t *testing.T) { runsSession(t, commandsOf(b.text), blocks) })
		case b.lang == "sh" && strings.Contains(b.text, "featurestore link"):
			for _, command := range commandsOf(b.text) {
				toured = append(toured, strings.Join(strings.Fields(command), " "))
			}
		case b.lang == "sh":
			for _, command := range commandsOf(b.text) {
				if strings.HasPrefix(command, "curl ") {
					question = command
				} else if err := checkCommand(command); err != nil {
					t.Errorf("%s: %v", at, err)
				}
			}
		default:
			t.Errorf("%s: no check knows blocks in %q", at, b.lang)
		}
	}
	if want := tourCommands(); !slices.Equal(toured, want) {
		t.Errorf("the README's tour is\n%s\nthat of dev, which a test types, is\n%s", strings.Join(toured, "\n"), strings.Join(want, "\n"))
	}
	for _, lang := range []string{"sh", "json", "yaml", "go"} {
		if kinds[lang] == 0 {
			t.Errorf("the README shows no %s", lang)
		}
	}
}

// tourCommands are those that dev prints after the lookups, when it is run from
// a checkout.
func tourCommands() (all []string) {
	text := tour("go run ./cmd/featurestore", []string{"eu", "us", "ap"}, []string{defaultURL, "http://127.0.0.1:8081", "http://127.0.0.1:8082"})
	for _, group := range commandGroups(text)[1:] {
		all = append(all, strings.Split(strings.TrimSpace(group), "\n")...)
	}
	return all
}

// showsAnswer asks a store with the sample what the page asks, and compares.
func showsAnswer(t *testing.T, at, question, shown string) {
	path, body, err := curlOf(question)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	p := startStore(t, t.TempDir(), "dev")
	status, came := post(t, p.url+path, body)
	if status != http.StatusOK {
		t.Fatalf("%s: the command before it is answered %d: %s", at, status, came)
	}
	if err := checkAnswer(shown, came); err != nil {
		t.Errorf("%s: %v\n%s", at, err, came)
	}
}

// runsSession types the commands that begin with init in a shell, serve in a
// terminal of its own, and then runs the program that the page shows in Go
// against that store.
func runsSession(t *testing.T, commands []string, blocks []block) {
	dir, url := t.TempDir(), ""
	for _, command := range commands {
		words := strings.Fields(command)
		switch {
		case strings.HasPrefix(command, "go build "):
			if err := checkCommand(command); err != nil {
				t.Error(err)
			}
			linkBinary(t, filepath.Join(dir, filepath.Base(words[2])))
		case len(words) > 1 && words[1] == "serve":
			url = startStore(t, dir, words[1:]...).url
		default:
			dir = typeCommand(t, dir, url, command)
		}
	}
	if url == "" {
		t.Fatal("no command of the session serves")
	}
	ran := 0
	for _, b := range blocks {
		if b.lang == "go" {
			ran++
			runsProgram(t, url, b)
		}
	}
	if ran == 0 {
		t.Error("no program in Go was run")
	}
}

// typeCommand runs one line and returns the folder that the shell is in then.
func typeCommand(t *testing.T, dir, url, command string) string {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "sh", "-c", command+" && pwd")
	shell.Dir, shell.Env = dir, append(os.Environ(), "FEATURESTORE_URL="+url)
	var complaints bytes.Buffer
	shell.Stderr = &complaints
	out, err := shell.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("%s\nends with %v and says\n%s%s", command, err, out, &complaints)
	}
	said := strings.TrimSpace(string(out))
	said, dir = said[:max(0, strings.LastIndex(said, "\n"))], said[strings.LastIndex(said, "\n")+1:]
	if strings.Contains(said, "NOT_FOUND") || strings.TrimSpace(said) == "" {
		t.Errorf("%s\nfinds nothing: %s", command, said)
	}
	return dir
}

// runsProgram makes a program of a block and runs it within the module.
func runsProgram(t *testing.T, url string, b block) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not installed")
	}
	const frame = `package main

import (
	"context"
	"fmt"
	"log"

	"featurestore/sdk"
)

func main() {
	ctx := context.Background()
%s
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%%+v", drivers.Rows)
}
`
	text := fmt.Sprintf(frame, strings.ReplaceAll(b.text, "http://127.0.0.1:8080", url))
	program := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(program, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "go", "run", program)
	run.Dir = moduleRoot
	out, err := run.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ID:1001") || !strings.Contains(string(out), "Trips:3}") {
		t.Errorf("README.md:%d: the program ends with %v and prints %s; want the 3 trips of driver 1001", b.line, err, out)
	}
}

// linkBinary makes name this test's binary, which is featurestore when it is
// called so.
func linkBinary(t *testing.T, name string) {
	t.Helper()
	binary, err := os.Executable()
	if err == nil {
		err = os.Symlink(binary, name)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// startStore runs featurestore in dir on a free port until the test ends.
func startStore(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "featurestore")
	linkBinary(t, binary)
	p, err := startProcess(binary, dir, os.Environ(), append(args, "--listen", "127.0.0.1:0")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("stop: %v\n%s", err, p.output)
		}
	})
	return p
}

func post(t *testing.T, url, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	came, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(came)
}

// readPage reads a page of the module.
func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
