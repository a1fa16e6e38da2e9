package definition_test

import (
	"math"
	"time"

	"featurestore/feature"

	"pgregory.net/rapid"
)

// Generators of definitions that a document can say, valid or not: the format
// does not ask what Registry.Plan asks.

var genText = rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
	"null", "true", "~", "1", "-0", "0x1f", "1e5", ".inf", "2026-01-02", "a: b", "- x", "#c", " x ", "x:", "*a", "&a", "!t",
	"<<", "'", "\"", "\\", "\n", "a\nb\n", "\t", "\u2028", "\ufeff", "\x7f", "é😀", "{a}", "[b]", "a,b", "a#b", "y", "No", "|", ">", "%", "@", "`", "=",
}))

// genWord is not empty: an empty text and none are one.
var genWord = rapid.Custom(func(t *rapid.T) string {
	return genText.Filter(func(s string) bool { return s != "" }).Draw(t, "word")
})

func genSlice[T any](g *rapid.Generator[T], most int) *rapid.Generator[[]T] {
	return rapid.Custom(func(t *rapid.T) []T {
		if s := rapid.SliceOfN(g, 0, most).Draw(t, "slice"); len(s) > 0 {
			return s
		}
		return nil
	})
}

func genMap(values *rapid.Generator[string]) *rapid.Generator[map[string]string] {
	return rapid.Custom(func(t *rapid.T) map[string]string {
		if m := rapid.MapOfN(genText, values, 0, 3).Draw(t, "map"); len(m) > 0 {
			return m
		}
		return nil
	})
}

var genDuration = rapid.Custom(func(t *rapid.T) time.Duration {
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return 0
	case 1:
		return time.Duration(rapid.Int64().Draw(t, "ns"))
	case 2:
		return time.Duration(rapid.IntRange(1, 400).Draw(t, "days")) * 24 * time.Hour
	}
	return time.Duration(rapid.IntRange(1, 10_000).Draw(t, "s")) * time.Second
})

var genType = rapid.Custom(func(t *rapid.T) feature.Type {
	k := feature.Kind(rapid.IntRange(int(feature.Bytes), int(feature.JSON)).Draw(t, "kind"))
	switch rapid.IntRange(0, 2).Draw(t, "shape") {
	case 1:
		return feature.ListOf(k)
	case 2:
		return feature.VectorOf(rapid.IntRange(1, 4).Draw(t, "dim"))
	}
	return feature.ScalarOf(k)
})

func must(v feature.Value, err error) feature.Value {
	if err != nil {
		panic(err)
	}
	return v
}

func genScalar(t *rapid.T, k feature.Kind) feature.Value {
	switch k {
	case feature.Int32:
		return feature.OfInt32(rapid.Int32().Draw(t, "int32"))
	case feature.Int64:
		return feature.OfInt64(rapid.Int64().Draw(t, "int64"))
	case feature.Float32:
		return feature.OfFloat32(rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{float32(math.NaN()), float32(math.Inf(-1)), 1e21})).Draw(t, "float32"))
	case feature.Float64:
		return feature.OfFloat64(rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Copysign(0, -1)})).Draw(t, "float64"))
	case feature.Bool:
		return feature.OfBool(rapid.Bool().Draw(t, "bool"))
	case feature.Timestamp:
		return feature.OfNanos(rapid.Int64().Draw(t, "nanos"))
	case feature.Bytes:
		return feature.OfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case feature.UUID:
		return feature.OfUUID([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid")))
	case feature.Decimal:
		return must(feature.ParseDecimal(rapid.StringMatching(`-?[0-9]{1,30}(\.[0-9]{1,20})?(e-?[0-9])?`).Draw(t, "decimal")))
	case feature.JSON:
		return feature.OfJSON(rapid.SampledFrom([]string{`{"a": [1, null]}`, `"x"`, "1", "[]"}).Draw(t, "json"))
	}
	return must(feature.OfString(genText.Draw(t, "string")))
}

func genValue(t *rapid.T, typ feature.Type) feature.Value {
	if rapid.Bool().Draw(t, "none") {
		return feature.Value{}
	}
	switch typ.Shape {
	case feature.List:
		var elems []feature.Value
		for range rapid.IntRange(0, 3).Draw(t, "len") {
			elems = append(elems, genScalar(t, typ.Kind))
		}
		return must(feature.OfList(typ.Kind, elems...))
	case feature.Vector:
		return feature.OfVector(rapid.SliceOfN(rapid.Float32(), typ.Dim, typ.Dim).Draw(t, "vector"))
	}
	return genScalar(t, typ.Kind)
}

var genField = rapid.Custom(func(t *rapid.T) feature.Field {
	f := feature.Field{
		Name: genText.Draw(t, "name"), Type: genType.Draw(t, "type"), Description: genText.Draw(t, "description"),
		Tags: genMap(genText).Draw(t, "tags"), RenamedFrom: genText.Draw(t, "renamed_from"),
		Rule: feature.Rule(rapid.IntRange(0, int(feature.Set)).Draw(t, "rule")),
	}
	f.Default = genValue(t, f.Type)
	return f
})

var genReference = rapid.Map(rapid.StringMatching(`[^:]+:[^:]+`), func(s string) feature.Reference {
	for i := range s {
		if s[i] == ':' {
			return feature.Reference{View: s[:i], Feature: s[i+1:]}
		}
	}
	panic(s)
})

var genRead = rapid.Custom(func(t *rapid.T) feature.ReadDefaults {
	return feature.ReadDefaults{
		Level: genText.Draw(t, "level"), MaxStaleness: genDuration.Draw(t, "max_staleness"),
		ReadRepair: genText.Draw(t, "read_repair"), AtLeast: genText.Draw(t, "read_at_least"), Fallback: genSlice(genText, 2).Draw(t, "fallback"),
	}
})

var genWrite = rapid.Custom(func(t *rapid.T) feature.WriteDefaults {
	w := feature.WriteDefaults{Concern: genText.Draw(t, "concern"), Timeout: genDuration.Draw(t, "timeout"), OnTimeout: genText.Draw(t, "on_timeout"), AtLeast: genText.Draw(t, "write_at_least")}
	if rapid.Bool().Draw(t, "require") {
		w.RequireLive = feature.RequireLive{
			Members: rapid.IntRange(1, feature.MaxRequiredMembers).Draw(t, "members"),
			MaxLag:  time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "max_lag")),
		}
	}
	return w
})

func genView(t *rapid.T, name string) feature.View {
	v := feature.View{
		Name: name, Description: genText.Draw(t, "description"), Owner: genText.Draw(t, "owner"), Tags: genMap(genText).Draw(t, "tags"),
		Entities: genSlice(genText, 3).Draw(t, "entities"), Fields: genSlice(genField, 4).Draw(t, "fields"), TTL: genDuration.Draw(t, "ttl"),
		Group: genText.Draw(t, "group"), Online: rapid.Bool().Draw(t, "online"), Offline: rapid.Bool().Draw(t, "offline"),
		PushSource: genText.Draw(t, "push_source"), Read: genRead.Draw(t, "read"), Write: genWrite.Draw(t, "write"),
		StalenessObjective: genDuration.Draw(t, "staleness_objective"), MaxFuture: genDuration.Draw(t, "max_future"), MaxLateness: genDuration.Draw(t, "max_lateness"),
	}
	if rapid.Bool().Draw(t, "batch") {
		v.BatchSource = &feature.BatchSource{
			Path: genText.Draw(t, "path"), EventTime: genText.Draw(t, "event_time"), Created: genText.Draw(t, "created"), Columns: genMap(genText).Draw(t, "columns"),
		}
	}
	return v
}

var genDefinitions = rapid.Custom(func(t *rapid.T) feature.Definitions {
	names := func(what string, most int) []string {
		return rapid.SliceOfNDistinct(genWord, 0, most, rapid.ID[string]).Draw(t, what)
	}
	d := feature.Definitions{Project: genWord.Draw(t, "project")}
	for _, name := range names("entities", 2) {
		e := feature.Entity{Name: name, Description: genText.Draw(t, "description"), Tags: genMap(genText).Draw(t, "tags")}
		for range rapid.IntRange(0, 2).Draw(t, "keys") {
			e.JoinKeys = append(e.JoinKeys, feature.JoinKey{Name: genText.Draw(t, "key"), Type: genType.Draw(t, "type")})
		}
		d.Entities = append(d.Entities, e)
	}
	for _, name := range names("groups", 2) {
		g := feature.Group{
			Name: name, Placement: feature.Placement(rapid.IntRange(0, 2).Draw(t, "placement")), Regions: genSlice(genText, 2).Draw(t, "regions"),
			Home: genSlice(genText, 2).Draw(t, "home"), Partitions: uint16(rapid.IntRange(0, feature.MaxPartitions).Draw(t, "partitions")),
			Durability: genText.Draw(t, "durability"), Read: genRead.Draw(t, "read"), Write: genWrite.Draw(t, "write"),
			Conflict: feature.Rule(rapid.IntRange(0, int(feature.Siblings)).Draw(t, "conflict")),
			Preset:   rapid.SampledFrom(append(feature.Presets(), "", "")).Draw(t, "preset"),
		}
		g, err := g.Expand(true, true)
		if err != nil {
			t.Fatal(err)
		}
		d.Groups = append(d.Groups, g)
	}
	views := names("views", 4)
	for i, name := range views {
		if i%2 == 0 {
			d.Views = append(d.Views, genView(t, name))
			continue
		}
		o := feature.OnDemand{
			Name: name, Description: genText.Draw(t, "description"), Owner: genText.Draw(t, "owner"), Tags: genMap(genText).Draw(t, "tags"),
			Inputs: genSlice(genReference, 2).Draw(t, "inputs"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "request") {
			o.Request = append(o.Request, feature.RequestField{Name: genText.Draw(t, "name"), Type: genType.Draw(t, "type")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "computed") {
			o.Fields = append(o.Fields, feature.Computed{Name: genText.Draw(t, "name"), Type: genType.Draw(t, "type"), Description: genText.Draw(t, "description"), Expr: genText.Draw(t, "expr")})
		}
		d.OnDemands = append(d.OnDemands, o)
	}
	for _, name := range names("services", 2) {
		d.Services = append(d.Services, feature.Service{
			Name: name, Description: genText.Draw(t, "description"), Owner: genText.Draw(t, "owner"), Tags: genMap(genText).Draw(t, "tags"),
			Features: genSlice(genReference, 3).Draw(t, "features"),
		})
	}
	return d
})
