package definition_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"featurestore/feature"
	"featurestore/feature/definition"
)

// pageObjects are the sections of docs/definitions.md, each with a document that
// has an unknown key in an object of its kind: the fault lists the known ones.
var pageObjects = []struct{ section, document string }{
	{"The file", "zzzzzzzz: 1"},
	{"Entities", "entities: [{zzzzzzzz: 1}]"},
	{"Typed names", "entities: [{join_keys: [{zzzzzzzz: 1}]}]"},
	{"Groups", "groups: [{zzzzzzzz: 1}]"},
	{"Read", "groups: [{read: {zzzzzzzz: 1}}]"},
	{"Write", "groups: [{write: {zzzzzzzz: 1}}]"},
	{"require_live", "groups: [{write: {require_live: {zzzzzzzz: 1}}}]"},
	{"Views", "views: [{zzzzzzzz: 1}]"},
	{"Features", "views: [{features: [{zzzzzzzz: 1}]}]"},
	{"Batch source", "views: [{batch_source: {zzzzzzzz: 1}}]"},
	{"On-demand views", "on_demand: [{zzzzzzzz: 1}]"},
	{"Computed features", "on_demand: [{features: [{zzzzzzzz: 1}]}]"},
	{"Services", "services: [{zzzzzzzz: 1}]"},
}

func readDefinitionsPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/definitions.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestThePageHasEveryKey, and no other, in the table of each section.
func TestThePageHasEveryKey(t *testing.T) {
	page := readDefinitionsPage(t)
	known := regexp.MustCompile(`unknown key "zzzzzzzz"; known are ([a-z_, ]+)`)
	row := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]+) \\| ([^|]+) \\|([^|]*)\\|$")
	for _, x := range pageObjects {
		_, err := definition.Parse("rides.yaml", strings.NewReader("project: rides\n"+x.document))
		fault := known.FindStringSubmatch(errorText(err))
		if fault == nil {
			t.Fatalf("%s: %v does not list the keys", x.section, err)
		}
		_, section, ok := strings.Cut(page, "\n## "+x.section+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		var got []string
		for _, m := range row.FindAllStringSubmatch(section, -1) {
			got = append(got, m[1])
		}
		want := strings.Split(fault[1], ", ")
		slices.Sort(got)
		slices.Sort(want)
		if !ok || !slices.Equal(got, want) {
			t.Errorf("section %q has the keys %v, the parser %v", x.section, got, want)
		}
	}
}

// TestThePageKnowsEveryObject: each shape of the format has a section.
func TestThePageKnowsEveryObject(t *testing.T) {
	shapes := 0
	for _, name := range []string{"objects.go", "objects_view.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		shapes += strings.Count(string(text), "r.object(")
	}
	if shapes != len(pageObjects) {
		t.Errorf("the format has %d objects, the page's test %d: give the new one a section", shapes, len(pageObjects))
	}
}

// TestThePageKnowsTheLimits that apply holds definitions to.
func TestThePageKnowsTheLimits(t *testing.T) {
	page := readDefinitionsPage(t)
	for _, x := range []struct {
		limit      int
		row, claim string
	}{
		{feature.MaxNameBytes, "- A *name*", "at most 128 bytes"},
		{feature.MaxTextBytes, "- A *text*", "at most 4,096 bytes"},
		{feature.MaxTags, "- *tags*", "at most 64,"},
		{feature.MaxTagBytes, "- *tags*", "at most 1,024 bytes"},
		{feature.MaxProjects, "| `project`", "1,000"},
		{feature.MaxEntities, "| `entities` | list of [", "10,000"},
		{feature.MaxGroups, "| `groups`", "256"},
		{feature.MaxViews, "| `views`", "10,000"},
		{feature.MaxOnDemands, "| `on_demand`", "10,000"},
		{feature.MaxServices, "| `services`", "10,000"},
		{feature.MaxJoinKeys, "| `join_keys`", "1 to 16"},
		{feature.MaxRegions, "| `regions`", "64"},
		{feature.MaxRegions, "| `home`", "64"},
		{feature.MaxPartitions, "| `partitions`", "1,024"},
		{feature.MaxFallback, "| `fallback`", "8"},
		{feature.MaxRequiredMembers, "| `members`", "1 to 64"},
		{feature.MaxViewEntities, "| `entities` | list of names", "8, with 16"},
		{feature.MaxFields, "| `features` | list of [features]", "1 to 4,096"},
		{feature.MaxOnDemandFields, "| `inputs`", "256"},
		{feature.MaxOnDemandFields, "| `request`", "256"},
		{feature.MaxOnDemandFields, "| `features` | list of [computed", "1 to 256"},
		{feature.MaxExprBytes, "| `expr`", "8,192 bytes"},
		{feature.MaxServiceFields, "| `features` | list of references", "1 to 1,000"},
		{feature.MaxDefaultBytes >> 10, "| `default`", "64 KiB"},
		{definition.MaxBytes >> 20, "A file has", "4 MiB"},
		{definition.MaxFiles, "A file has", "1,000 files"},
	} {
		i := strings.Index(page, "\n"+x.row)
		if i < 0 {
			t.Errorf("no line begins with %q", x.row)
			continue
		}
		line, _, _ := strings.Cut(page[i+1:], "\n")
		if !strings.Contains(line, x.claim) || !strings.Contains(strings.ReplaceAll(x.claim, ",", ""), strconv.Itoa(x.limit)) {
			t.Errorf("the limit is %d; %q has not %q", x.limit, line, x.claim)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
