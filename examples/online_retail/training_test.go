package retail

import (
	"compress/gzip"
	"encoding/csv"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"featurestore/replica"
)

// trained are the features of the training set, in its order.
var trained = []string{
	"customer_stats:lines", "customer_stats:cancellations", "customer_stats:last_seen",
	"item_stats:price", "item_stats:max_price", "item_stats:sold", "customer_item:units", "customer_item:spend",
}

// rowColumns are those of entity rows.
const rowColumns = 5

// TestTheTrainingSetIsWhatTheFileSays makes a training set of every line of the real
// file: is it a cancellation, with what was known of its customer and its item the
// moment before. It is compared cell by cell with a plain walk through the file.
func TestTheTrainingSetIsWhatTheFileSays(t *testing.T) {
	file, months := dataFile(t), 0
	if (testing.Short() || raceDetector) && !*full {
		months = someMonths
	}
	trainAndCompare(t, file, months)
}

// TestTheTrainingSetIsWhatAGeneratedFileSays does so where the real file is not.
func TestTheTrainingSetIsWhatAGeneratedFileSays(t *testing.T) {
	trainAndCompare(t, generate(t, 1200), 0)
}

func trainAndCompare(t *testing.T, file string, months int) {
	t.Helper()
	bin := build(t, "load", "../../cmd/featurestore")
	data := t.TempDir()
	url, stop := serveFrom(t, replica.Config{Data: data, History: true, HistoryEvery: time.Second})
	t.Log("load:", run(t, bin("load"), "-url", url, "-months", strconv.Itoa(months), file))
	lines := fileLines(t, file, months)
	rows, out := filepath.Join(data, "rows.csv"), filepath.Join(data, "train.csv")
	run(t, bin("load"), "-entity-rows", rows, "-months", strconv.Itoa(months), file)
	want := asOf(lines)
	limit := time.Now().Add(2 * time.Minute)
	var got [][]string
	for differ := -1; differ != 0 && time.Now().Before(limit); { // history comes after the answers
		export := exec.CommandContext(t.Context(), bin("featurestore"), "export", "--data", data,
			"--features", strings.Join(trained, ","), "--entity-rows", rows, "--out", out)
		printed, err := export.CombinedOutput()
		t.Logf("export: %s", printed)
		if err != nil {
			continue // the first time there may be no definitions yet
		}
		got = readCSV(t, out)
		differ = differing(got, want)
	}
	stop()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	wrong := 0
	for i := range want {
		for c := range want[i] {
			if g := got[i][rowColumns+c]; !sameCell(g, want[i][c]) {
				if wrong++; wrong <= 10 {
					t.Errorf("line %d %v: %s is %q, want %q", i, lines[i], trained[c], g, want[i][c])
				}
			}
		}
	}
	t.Logf("%d cells compared, %d differ", len(want)*len(trained), wrong)
}

// differing counts the cells that are not as wanted.
func differing(got, want [][]string) (n int) {
	for i := range want {
		for c := range want[i] {
			if i >= len(got) || !sameCell(got[i][rowColumns+c], want[i][c]) {
				n++
			}
		}
	}
	return n
}

// sameCell compares numbers as such: of decimals and floats there is more than one
// way to write them.
func sameCell(got, want string) bool {
	if got == want {
		return true
	}
	g, ok := new(big.Rat).SetString(got)
	w, ok2 := new(big.Rat).SetString(want)
	return ok && ok2 && g.Cmp(w) == 0
}

// fileLines are the records of a file of invoice lines, its first months or all.
func fileLines(t *testing.T, path string, months int) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(z)
	if _, err := r.Read(); err != nil { // the header
		t.Fatal(err)
	}
	var out [][]string
	seen := map[string]bool{}
	for {
		l, err := r.Read()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if seen[l[colDate][:len("2010-12")]] = true; months > 0 && len(seen) > months {
			return out
		}
		out = append(out, l)
	}
}

// Columns of the file.
const (
	colInvoice  = 0
	colItem     = 1
	colUnits    = 3
	colDate     = 4
	colPrice    = 5
	colCustomer = 6
)

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[1:]
}

// asOf walks through the lines in order of time, minute by minute, and writes down
// for each line what the lines of earlier minutes say; "" for nothing.
func asOf(lines [][]string) [][]string {
	order := make([]int, len(lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(lines[a][colDate], lines[b][colDate]) })
	type customer struct {
		lines, cancellations int
		seen                 string
	}
	type item struct {
		price, most string
		sold        int
		hasSold     bool
	}
	type pair struct {
		units int
		spend *big.Rat
	}
	customers, items, pairs := map[string]*customer{}, map[string]*item{}, map[[2]string]*pair{}
	out := make([][]string, len(lines))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && lines[order[to]][colDate] == lines[order[from]][colDate] {
			to++
		}
		for _, i := range order[from:to] {
			l, cells := lines[i], make([]string, len(trained))
			if c := customers[l[colCustomer]]; c != nil {
				cells[0], cells[2] = strconv.Itoa(c.lines), strings.NewReplacer("T", " ", "Z", "").Replace(c.seen)
				if c.cancellations > 0 {
					cells[1] = strconv.Itoa(c.cancellations)
				}
			}
			if x := items[l[colItem]]; x != nil {
				cells[3], cells[4] = x.price, x.most
				if x.hasSold {
					cells[5] = strconv.Itoa(x.sold)
				}
			}
			if p := pairs[[2]string{l[colCustomer], l[colItem]}]; p != nil {
				cells[6], cells[7] = strconv.Itoa(p.units), p.spend.FloatString(3)
			}
			out[i] = cells
		}
		for _, i := range order[from:to] {
			l := lines[i]
			units, _ := strconv.Atoi(l[colUnits])
			price, _ := new(big.Rat).SetString(l[colPrice])
			x := items[l[colItem]]
			if x == nil {
				x = &item{}
				items[l[colItem]] = x
			}
			if price.Sign() > 0 {
				x.price = l[colPrice]
				if most, ok := new(big.Rat).SetString(x.most); !ok || most.Cmp(price) < 0 {
					x.most = l[colPrice]
				}
				if l[colInvoice][0] != 'C' && units > 0 {
					x.sold, x.hasSold = x.sold+units, true
				}
			}
			if l[colCustomer] == "" {
				continue
			}
			c := customers[l[colCustomer]]
			if c == nil {
				c = &customer{}
				customers[l[colCustomer]] = c
			}
			c.lines, c.seen = c.lines+1, l[colDate]
			if units <= 0 {
				c.cancellations++
			}
			key := [2]string{l[colCustomer], l[colItem]}
			p := pairs[key]
			if p == nil {
				p = &pair{spend: new(big.Rat)}
				pairs[key] = p
			}
			p.units += units
			p.spend.Add(p.spend, new(big.Rat).Mul(price, big.NewRat(int64(units), 1)))
		}
		from = to
	}
	return out
}
