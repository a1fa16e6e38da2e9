package retail

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestServesWhatAGeneratedFileSays holds X1 and X2 where the real file is not:
// on lines drawn at random, with more ties, nulls and cancellations than any
// shop has, of the customers and items that the lookups ask for.
func TestServesWhatAGeneratedFileSays(t *testing.T) {
	met := map[string]bool{}
	for _, l := range serveAndCompare(t, generate(t, 4000), "0") {
		for _, r := range l.Rows {
			for i, status := range r.Statuses {
				met[status] = true
				met["stored "+status] = met["stored "+status] || strings.HasPrefix(l.Features[i], "customer_stats:")
			}
		}
	}
	for _, status := range []string{"stored PRESENT", "stored NULL_VALUE", "stored NOT_FOUND", "OUTSIDE_MAX_AGE"} {
		if !met[status] {
			t.Errorf("no answer is %s: the generated file does not meet it", status)
		}
	}
}

// generate writes a file in the form of the real one, across a new year.
func generate(t *testing.T, lines int) (path string) {
	t.Helper()
	const seed = 20101201
	r := rand.New(rand.NewPCG(seed, seed))
	pick := func(from string) string {
		words := strings.Split(from, "|")
		return words[r.IntN(len(words))]
	}
	path = filepath.Join(t.TempDir(), "generated.csv.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	w := csv.NewWriter(z)
	write := func(record ...string) {
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
	}
	write("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
	at := time.Date(2010, 12, 31, 12, 0, 0, 0, time.UTC)
	for i := range lines {
		if r.IntN(5) == 0 {
			at = at.Add(time.Duration(r.IntN(3)) * time.Minute)
		}
		units, invoice := 1+r.IntN(100), strconv.Itoa(600000+i/8)
		if r.IntN(6) == 0 {
			units, invoice = -units, "C"+invoice
		}
		customer := pick("|14911|12346|16446|12431|12417|12743|12363|17850|17841|13952|15618|16198|13405")
		country := pick("United Kingdom|Belgium|Spain|Unspecified")
		if customer == "12743" { // as in the real file
			country = "Unspecified"
		}
		write(invoice,
			pick("POST|AMAZONFEE|M|m|B|85123A|23843|23166|84826|21134|BANK CHARGES|22423|79321"),
			pick(`JAR|JAR, LARGE|"PINK" JAR||`+"\u00a3 JAR"),
			strconv.Itoa(units), at.Format(time.RFC3339),
			pick("0|0.001|0.29|1.1|2.55|2.55|8142.75|-11062.06"),
			customer, country)
	}
	w.Flush()
	for _, err := range []error{w.Error(), z.Close(), f.Close()} {
		if err != nil {
			t.Fatal(fmt.Errorf("write %s: %w", path, err))
		}
	}
	return path
}
