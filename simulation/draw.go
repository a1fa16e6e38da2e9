package simulation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Drivers is how many drivers drawn scenarios push and look up: few, so that
// sessions meet.
const Drivers = 4

// Draw returns the commands of a random scenario: clients in several sessions
// that move between regions, while links lose, delay, repeat, reorder and break,
// stores crash, clocks step, logs are truncated and members are evicted. Each
// kind of fault is on in some seeds and off in others (swarm testing, Groce et
// al., 2012), for what always fails together hides what fails alone.
//
// It ends with everything healed, at rest, and checked.
func Draw(seed uint64) []string { return DrawWith(seed, 0) }

// Kinds of faults that a scenario must have.
type Kinds uint16

// The kinds.
const (
	Crashes Kinds = 1 << iota
	Cuts
	Skews
	Evictions
	Losses // of disks
	Limits // of the log

	Noise // links that lose, repeat and reorder

	// Quorums is no fault: clients without sessions write and read at quorum.
	Quorums
	// Terms is no fault: a leader group, whose leaders are replaced now and then.
	Terms
	// Usurpers are leaders that follow one upon the other, by force or in order,
	// while clients write and read at the old one and at the new one.
	Usurpers
	// Deletes are many, of drivers whose tombstones are collected.
	Deletes
)

// DrawLeaderless is Draw of a leaderless group.
func DrawLeaderless(seed uint64) []string { return DrawWith(seed, Quorums) }

// DrawLeader is Draw of a leader group.
func DrawLeader(seed uint64) []string { return DrawWith(seed, Terms) }

// DrawWith is Draw of a scenario that has some kinds of faults for certain.
func DrawWith(seed uint64, kinds Kinds) []string {
	d := &drawing{random: rand.New(rand.NewPCG(seed, 0x647261)), seed: seed, edits: rand.New(rand.NewPCG(seed, 0x736962)), kinds: kinds, down: map[string]bool{}}
	d.begin()
	for d.clock < d.length {
		if d.has(Usurpers) {
			d.succession()
		} else {
			d.step()
		}
	}
	d.end()
	return d.lines
}

type drawing struct {
	random *rand.Rand
	seed   uint64
	edits  *rand.Rand // of siblings
	kinds  Kinds
	lines  []string

	regions       []string
	clock, length time.Duration
	pause         time.Duration // between commands, at most
	drivers       int
	down          map[string]bool // not running
	evicted       string
	lost          bool // the evicted store lost its disk
	counter       int64
	alone         int    // operations without a session
	durability    string // of a leader group
	leader        string // of it, as far as the drawing knows
}

func (d *drawing) has(k Kinds) bool { return d.kinds&k != 0 }

// draws puts a kind in with some probability.
func (d *drawing) draws(k Kinds, p float64) {
	if d.chance(p) {
		d.kinds |= k
	}
}

func (d *drawing) say(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *drawing) chance(p float64) bool { return d.random.Float64() < p }

func (d *drawing) region() string { return d.regions[d.random.IntN(len(d.regions))] }

func (d *drawing) between(a, b time.Duration) time.Duration {
	return (a + time.Duration(d.random.Int64N(int64(b-a)))).Truncate(time.Millisecond)
}

func (d *drawing) begin() {
	d.regions = []string{"eu", "us", "ap"}
	two := d.chance(0.2)
	d.draws(Crashes, 0.5)
	d.draws(Cuts, 0.6)
	d.draws(Skews, 0.3)
	d.draws(Evictions, 0.25)
	d.draws(Losses, 0.1)
	d.draws(Limits, 0.3)
	if d.has(Usurpers) {
		d.kinds = Terms | Cuts | Usurpers
		d.regions, two = []string{"eu", "us", "ap"}, false
	}
	if d.has(Terms) { // a leader whose log is cut before it is handed over has to be built anew
		d.kinds &^= Limits
	}
	if two && !d.has(Evictions|Losses) {
		d.regions = d.regions[:2]
	}
	d.length, d.pause, d.drivers = d.between(10*time.Second, 25*time.Second), 250*time.Millisecond, Drivers
	if d.has(Quorums) { // what is asked of several members overlaps where much happens at once
		d.length, d.pause, d.drivers = d.between(4*time.Second, 10*time.Second), 80*time.Millisecond, 2
	}
	options := fmt.Sprintf("seed=%d", d.seed)
	if d.has(Evictions) && d.chance(0.5) || d.has(Terms) { // what is too old to be taken over costs a store
		options += " grace=1h"
	} else {
		options += " grace=3s"
	}
	if d.chance(0.5) {
		options += " logminage=200ms"
	}
	if d.has(Quorums) {
		options += " placement=leaderless"
	}
	if d.has(Terms) {
		d.durability = []string{"quorum", "quorum", "quorum", "any:1", "all", "local"}[d.random.IntN(6)]
		d.leader = d.region()
		if d.has(Usurpers) {
			d.leader, d.durability = "us", "quorum"
		}
		options += fmt.Sprintf(" placement=leader home=%s durability=%s", d.leader, d.durability)
	}
	if d.has(Limits) { // too little for a member that is away
		options += " logmaxage=2s"
	}
	d.say("cluster %s %s", strings.Join(d.regions, " "), options)
	lossy, jittery := d.chance(0.4) || d.has(Noise), d.chance(0.6)
	for _, a := range d.regions {
		for _, b := range d.regions {
			if a == b {
				continue
			}
			link := fmt.Sprintf("link %s %s delay=%v", a, b, d.between(0, 150*time.Millisecond))
			if jittery {
				link += fmt.Sprintf(" jitter=%v", d.between(time.Millisecond, 300*time.Millisecond))
			}
			if lossy {
				link += fmt.Sprintf(" loss=%.2f repeat=%.2f mix=%.2f", d.random.Float64()*0.2, d.random.Float64()*0.1, d.random.Float64()*0.3)
			}
			d.say("%s", link)
		}
	}
}

// step draws one command, and time that passes.
func (d *drawing) step() {
	if d.has(Deletes) && d.chance(0.25) {
		d.say("async delete %s driver=%d session=%s%s", d.region(), 1+2*d.random.IntN(d.drivers/2), d.session(), d.age())
	}
	switch p := d.random.Float64(); {
	case p < 0.36:
		d.push()
	case p < 0.43:
		d.say("async delete %s driver=%d session=%s%s", d.region(), d.random.IntN(d.drivers), d.session(), d.age())
	case p < 0.80:
		d.lookup()
	case p < 0.88:
		if r := d.region(); !d.down[r] {
			d.say("observe %s", r)
		}
	default:
		d.fault()
	}
	if d.chance(0.6) {
		d.wait(d.pause)
	}
}

// session names the session of an operation. Most of those at quorum are of
// clients that carry no token.
func (d *drawing) session() string {
	if d.has(Quorums) && d.chance(0.5) {
		d.alone++
		return fmt.Sprintf("q%d", d.alone)
	}
	return d.named()
}

func (d *drawing) named() string { return fmt.Sprintf("s%d", d.random.IntN(5)) }

func (d *drawing) age() string {
	if d.chance(0.3) {
		return fmt.Sprintf(" age=%v", d.between(0, Lateness*8/10))
	}
	return ""
}

func (d *drawing) push() {
	d.counter++
	driver := d.random.IntN(d.drivers)
	var values []string
	for _, f := range []string{"x", "w", "m"} {
		if d.chance(0.5) && (f != "m" || driver%2 == 0) {
			values = append(values, fmt.Sprintf("%s=%d", f, d.counter))
		}
	}
	if d.chance(0.5) && driver%2 == 0 {
		values = append(values, fmt.Sprintf("n=%d", 1+d.random.IntN(9)))
	}
	if d.chance(0.3) && driver%2 == 0 {
		values = append(values, fmt.Sprintf("%s=e%d", []string{"add", "remove"}[d.random.IntN(2)], d.random.IntN(4)))
	}
	if len(values) == 0 {
		values = append(values, fmt.Sprintf("w=%d", d.counter))
	}
	if d.edits.Float64() < 0.4 && driver%2 == 0 {
		values = append(values, fmt.Sprintf("d=%d", d.counter))
	}
	concern := ""
	if d.has(Terms) && d.chance(0.7) {
		concern = " concern=" + d.durability
	} else if d.has(Quorums) && d.chance(0.8) {
		concern = " concern=" + []string{"quorum", "quorum", "quorum", "each_region", "all"}[d.random.IntN(5)]
	} else if d.chance(0.4) {
		concern = " concern=" + []string{"all", "regions:1", "any:1"}[d.random.IntN(3)]
	}
	d.say("async push %s driver=%d %s session=%s%s%s", d.region(), driver, strings.Join(values, " "), d.session(), d.age(), concern)
}

func (d *drawing) lookup() {
	if d.has(Terms) && d.chance(0.6) {
		d.say("async lookup %s driver=%d level=leader wait=%v session=s%d", d.region(), d.random.IntN(d.drivers), d.between(time.Millisecond, 1500*time.Millisecond), d.random.IntN(9))
		return
	}
	if d.has(Quorums) && d.chance(0.8) {
		level := []string{"quorum", "quorum", "quorum", "quorum;repair=none", "quorum;members=1", "quorum;members=2"}[d.random.IntN(6)]
		d.say("async lookup %s driver=%d level=%s;within=%v session=%s", d.region(), d.random.IntN(d.drivers), level, d.between(50*time.Millisecond, 1500*time.Millisecond), d.session())
		return
	}
	level := []string{
		"session", "session", "session", "session", "eventual", "bounded;max-staleness=" + d.between(100*time.Millisecond, 3*time.Second).String(),
		"session;within=20ms,bounded;max-staleness=1s,eventual", "session unmet=degrade", "session unmet=fail",
	}[d.random.IntN(9)]
	d.say("async lookup %s driver=%d level=%s wait=%v session=%s", d.region(), d.random.IntN(d.drivers), level, d.between(time.Millisecond, 500*time.Millisecond), d.session())
}

// promote draws another leader, which may be the one that leads. What shows that
// two lead at once, or that something was lost between them, happens right then:
// clients write and read on meanwhile, at the old one and at the new one.
func (d *drawing) promote() {
	old, next := d.leader, d.region()
	d.leader = next
	switch {
	case d.chance(0.4):
		d.say("promote %s maybe", next)
		d.crowd([]string{old, next}, old, next)
	case old != next && d.has(Cuts) && d.chance(0.7):
		d.usurp(old, next)
	default:
		d.say("promote %s force maybe", next)
		d.crowd([]string{old, next}, old, next)
	}
}

// succession draws one leader after another in a deployment that is healthy in
// between. The first region's store, the home, is never cut off.
func (d *drawing) succession() {
	old := d.leader
	next := d.regions[d.random.IntN(len(d.regions))]
	if next == old {
		return
	}
	d.leader = next
	if d.chance(0.4) || old == d.regions[0] {
		d.crowd([]string{old}, old)
		d.say("promote %s maybe", next)
		for range 3 {
			d.crowd([]string{old}, next)
			d.wait(100 * time.Millisecond)
		}
	} else {
		d.usurp(old, next)
		d.say("heal")
	}
	d.clock += 4 * time.Second
	d.say("sleep 4s")
}

// usurp draws a leader that is cut off and deposed by force, by one that may lack
// what the others have of it.
func (d *drawing) usurp(old, next string) {
	d.say("cut %s %s", old, next)
	d.crowd([]string{old}, old)
	if d.chance(0.7) { // until a majority has it
		d.wait(600 * time.Millisecond)
	}
	for _, r := range d.regions {
		if r != old && r != next {
			d.say("cut %s %s", old, r)
		}
	}
	d.say("promote %s force maybe", next)
	for range 2 + d.random.IntN(4) {
		d.wait(1500 * time.Millisecond)
		d.crowd([]string{next}, old, next)
	}
}

// crowd draws some writes and some leader reads at regions, of clients that carry
// no token.
func (d *drawing) crowd(writes []string, reads ...string) {
	for range 2 + d.random.IntN(3) {
		d.counter++
		d.alone++
		driver := d.random.IntN(d.drivers)
		d.say("async push %s driver=%d w=%d session=p%d concern=%s", writes[d.random.IntN(len(writes))], driver, d.counter, d.alone, d.durability)
		if d.chance(0.5) {
			d.wait(60 * time.Millisecond)
		}
		d.say("async lookup %s driver=%d level=leader wait=%v session=r%d", reads[d.random.IntN(len(reads))], driver, d.between(time.Millisecond, 300*time.Millisecond), d.alone)
	}
}

func (d *drawing) wait(most time.Duration) {
	pause := d.between(time.Millisecond, most)
	d.clock += pause
	d.say("sleep %v", pause)
}

// fault draws a fault, or the end of one.
func (d *drawing) fault() {
	if d.has(Terms) && d.chance(0.25) && !d.down["eu"] {
		d.promote()
		return
	}
	switch p := d.random.Float64(); {
	case p < 0.4 && d.has(Cuts):
		a, b := d.region(), d.region()
		verb := []string{"cut", "cut", "heal"}[d.random.IntN(3)]
		switch {
		case a == b && verb == "heal":
			d.say("heal")
		case a == b:
		case d.chance(0.3):
			d.say("%s %s > %s", verb, a, b)
		default:
			d.say("%s %s %s", verb, a, b)
		}
	case p < 0.7 && d.has(Crashes):
		r := d.region()
		switch {
		case r == d.evicted && d.lost: // it begins anew at the end
		case d.down[r]:
			delete(d.down, r)
			d.say("restart %s%s", r, d.offset())
		case len(d.down) < len(d.regions)-1:
			d.down[r] = true
			d.say("%s %s", []string{"crash", "crash", "halt"}[d.random.IntN(3)], r)
		}
	case p < 0.8 && d.has(Skews):
		if r := d.region(); !d.down[r] {
			d.say("skew %s %v", r, d.between(-300*time.Millisecond, 300*time.Millisecond))
		}
	case p < 0.95 && d.has(Evictions|Losses) && d.evicted == "" && d.clock > d.length/4 && !d.down["eu"]:
		d.evict()
	}
}

// evict ends a store, which may have lost its disk. The first region's is the
// home, and stays.
func (d *drawing) evict() {
	d.evicted = d.regions[1+d.random.IntN(len(d.regions)-1)]
	if d.has(Losses) && !d.down[d.evicted] && (!d.has(Evictions) || d.chance(0.5)) {
		d.lost = true
		d.down[d.evicted] = true
		d.say("halt %s", d.evicted)
		d.say("lose %s", d.evicted)
	}
	d.say("evict %s", d.evicted)
}

// offset is by how much a restarted store's clock is off: mostly little, now
// and then as after a dead battery.
func (d *drawing) offset() string {
	switch {
	case !d.has(Skews):
		return ""
	case d.chance(0.3):
		return fmt.Sprintf(" off=%v", d.between(-8*time.Second, -time.Second))
	}
	return fmt.Sprintf(" off=%v", d.between(-300*time.Millisecond, 300*time.Millisecond))
}

// end heals everything, waits, and checks.
func (d *drawing) end() {
	d.say("heal")
	for _, a := range d.regions {
		for _, b := range d.regions {
			if a != b {
				d.say("link %s %s", a, b)
			}
		}
	}
	for _, r := range d.regions {
		switch {
		case !d.down[r]:
			d.say("skew %s 0s", r)
		case r == d.evicted && d.lost:
			d.say("sleep 3s") // until it is sealed: nobody else may have its name
			d.say("restart %s", r)
		default:
			d.say("restart %s", r)
		}
	}
	if d.evicted != "" && !d.lost {
		d.say("renew %s", d.evicted)
	}
	d.say("rest")
	for _, r := range d.regions {
		for driver := range Drivers {
			for s := range 5 {
				if d.chance(0.3) {
					d.say("async lookup %s driver=%d level=session wait=1s session=s%d", r, driver, s)
				}
			}
		}
		d.say("observe %s", r)
	}
	d.say("rest")
	d.say("check")
}
