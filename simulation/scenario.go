package simulation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"featurestore/consistency"
	"featurestore/fault"
	"featurestore/feature"
	"featurestore/meta"
	"featurestore/replication"
)

// Scenario carries out commands, one a line:
//
//	plant FAULT…          before the cluster: switch rules off (package fault)
//	cluster REGION… [seed=N] [grace=D] [verify=D] [logminage=D] [logmaxage=D] [logbytes=N]
//	        [partitions=N] [drivers=N] [held=REGION,…] [live=N maxlag=D]
//	        [placement=leader home=REGION,… durability=CONCERN]
//	        [preset=NAME]: concern, timeout and level of commands that say none, too
//	link FROM TO [delay=D] [jitter=D] [loss=P] [repeat=P] [mix=P]   one direction
//	cut A B | cut A > B | heal A B | heal                            both, one, all
//	push REGION driver=N[..N] [x=] [w=] [n=] [m=] [z=] [add=] [remove=] [age=D] [session=] [concern=] [timeout=D] [key=]
//	delete REGION driver=N …
//	lookup REGION driver=N [level=L] [wait=D] [unmet=forward|degrade|fail] [session=] [timeout=D]
//	observe REGION
//	async COMMAND …       in the order of its session, beside everything else
//	sleep D
//	crash REGION | halt REGION | restart REGION [off=D] | skew REGION D
//	copy A B              B, which does not run, gets A's directory
//	save REGION | restore REGION | lose REGION                       its directory
//	add REGION            starts a store that nobody knows
//	invite REGION | remove REGION | left REGION | evict REGION [abandon=true] | renew REGION
//	await REGION STATE    until its store is active, or says why it takes no writes
//	home REGION           it takes over as the home
//	promote REGION [force] [maybe]    its store is to lead; or is not, if refused
//	apply REGION [feature=NAME]     adds a feature, z, to the drivers of even numbers
//	patch REGION driver=N x=N       past the log: patch_outside_log is planted
//	hand SESSION SESSION  the second gets the first one's token too
//	log REGION | status | rest | check
//
// Levels are written as in the header, with commas between alternatives and
// dashes instead of spaces: level=session;within=5ms,eventual.
type Scenario struct {
	Dir     string
	Drivers int64
	Faults  fault.Set
	Logger  *slog.Logger

	cluster *Cluster
	preset  feature.Group // its settings are the defaults of commands
	history History
	// tails says that a store which is evicted and comes back must hand over all
	// that it wrote: nothing is too old for that.
	tails bool
	cut   map[[2]meta.Region]Link // links as they were before they were cut
	mu    struct {
		sync.Mutex
		sessions map[string]*Session
		resets   map[string]int
		lanes    map[string]chan func()
	}
	lanes sync.WaitGroup
}

// Close stops what runs.
func (s *Scenario) Close() error {
	s.drain()
	if s.cluster == nil {
		return nil
	}
	return s.cluster.Close()
}

// Do carries out one command and returns what it prints.
func (s *Scenario) Do(ctx context.Context, line string) (string, error) {
	words := strings.Fields(line)
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return "", nil
	}
	out, err := s.do(ctx, words)
	if err != nil {
		err = fmt.Errorf("%s: %w", line, err)
	}
	return out, err
}

func (s *Scenario) do(ctx context.Context, words []string) (string, error) {
	switch words[0] {
	case "cluster":
		return "", s.start(ctx, words[1:])
	case "plant":
		return "", s.plant(words[1:])
	}
	if s.cluster == nil {
		return "", errors.New("there is no cluster yet")
	}
	a, err := parseArguments(words[1:])
	if err != nil {
		return "", err
	}
	switch words[0] {
	case "link":
		return "", s.link(a)
	case "cut", "heal":
		return "", s.cutOrHeal(words[0] == "cut", a)
	case "push", "delete":
		return s.push(ctx, a, words[0] == "delete")
	case "lookup":
		return s.lookup(ctx, a)
	case "observe":
		op := s.history.Observe(ctx, s.cluster, a.region(0), s.Drivers)
		if errors.Is(op.Err, errRebuilding) {
			return "rebuilding", nil
		}
		return "", op.Err
	case "async":
		return "", s.async(ctx, words[1:])
	case "sleep":
		d, err := time.ParseDuration(a.at(0))
		if err != nil {
			return "", err
		}
		return "", sleep(ctx, d)
	case "crash":
		return "", s.cluster.Crash(a.region(0))
	case "halt":
		return "", s.cluster.Stop(a.region(0))
	case "restart":
		off, err := a.duration("off", 0)
		if err != nil {
			return "", err
		}
		return "", s.cluster.Restart(ctx, a.region(0), off)
	case "skew":
		by, err := time.ParseDuration(a.at(1))
		if err != nil {
			return "", err
		}
		return "", s.cluster.Skew(a.region(0), by)
	case "patch":
		return "", s.patch(ctx, a)
	case "hand":
		s.session(a.at(1)).token.Merge(s.session(a.at(0)).token)
		return "", nil
	case "status":
		return s.cluster.describe(), nil
	case "rest":
		s.drain()
		return "", s.cluster.Settle(ctx)
	case "check":
		return s.check(ctx)
	}
	return s.operate(ctx, words[0], a)
}

// arguments are words, and words with an equals sign.
type arguments struct {
	plain []string
	named map[string]string
}

func parseArguments(words []string) (arguments, error) {
	a := arguments{named: map[string]string{}}
	for _, w := range words {
		if name, value, ok := strings.Cut(w, "="); ok && !strings.HasPrefix(w, ">") {
			a.named[name] = value
			continue
		}
		a.plain = append(a.plain, w)
	}
	return a, nil
}

func (a arguments) at(i int) string {
	if i < len(a.plain) {
		return a.plain[i]
	}
	return ""
}

func (a arguments) region(i int) meta.Region { return meta.Region(a.at(i)) }

func (a arguments) duration(name string, otherwise time.Duration) (time.Duration, error) {
	text, ok := a.named[name]
	if !ok {
		return otherwise, nil
	}
	return time.ParseDuration(text)
}

func (a arguments) number(name string) (*int64, error) {
	text, ok := a.named[name]
	if !ok {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return &n, err
}

func (a arguments) share(name string) (float64, error) {
	text, ok := a.named[name]
	if !ok {
		return 0, nil
	}
	return strconv.ParseFloat(text, 64)
}

func (s *Scenario) start(ctx context.Context, words []string) error {
	a, err := parseArguments(words)
	if err != nil {
		return err
	}
	cfg := Config{Dir: s.Dir, Definitions: Schema(), Faults: s.Faults, Logger: s.Logger}
	for _, r := range a.plain {
		cfg.Regions = append(cfg.Regions, meta.Region(r))
	}
	seed, err := a.number("seed")
	if err != nil {
		return err
	}
	if seed != nil {
		cfg.Seed = uint64(*seed)
	}
	if drivers, err := a.number("drivers"); err != nil {
		return err
	} else if drivers != nil {
		s.Drivers = *drivers
	}
	if cfg.Definitions.Groups, err = a.groups(); err != nil {
		return err
	}
	if g := cfg.Definitions.Groups[0]; g.Preset != "" {
		s.preset = g
	}
	cfg.Timing = replication.Timing{Collect: time.Second}
	for name, d := range map[string]*time.Duration{"grace": &cfg.Timing.Grace, "logminage": &cfg.Timing.LogMinAge, "logmaxage": &cfg.Timing.LogMaxAge, "verify": &cfg.Timing.Verify} {
		if *d, err = a.duration(name, 0); err != nil {
			return err
		}
	}
	s.tails = cfg.Timing.Grace >= time.Hour && cfg.Timing.LogMaxAge == 0
	if n, err := a.number("logbytes"); err != nil {
		return err
	} else if n != nil {
		cfg.Timing.LogMaxBytes = *n
	}
	s.mu.sessions, s.mu.resets, s.mu.lanes = map[string]*Session{}, map[string]int{}, map[string]chan func(){}
	s.cut = map[[2]meta.Region]Link{}
	s.cluster, err = NewCluster(ctx, cfg)
	return err
}

func (s *Scenario) link(a arguments) error {
	var l Link
	var err error
	for name, d := range map[string]*time.Duration{"delay": &l.Delay, "jitter": &l.Jitter} {
		if *d, err = a.duration(name, 0); err != nil {
			return err
		}
	}
	for name, p := range map[string]*float64{"loss": &l.Loss, "repeat": &l.Repeat, "mix": &l.Mix} {
		if *p, err = a.share(name); err != nil {
			return err
		}
	}
	s.cluster.Network.Set(a.region(0), a.region(1), l)
	return nil
}

func (s *Scenario) cutOrHeal(cut bool, a arguments) error {
	var pairs [][2]meta.Region
	switch {
	case len(a.plain) == 0 && !cut:
		for p := range s.cut {
			pairs = append(pairs, p)
		}
	case len(a.plain) == 3 && a.plain[1] == ">":
		pairs = [][2]meta.Region{{a.region(0), a.region(2)}}
	case len(a.plain) == 2:
		pairs = [][2]meta.Region{{a.region(0), a.region(1)}, {a.region(1), a.region(0)}}
	default:
		return errors.New("want two regions, with > between them for one direction")
	}
	for _, p := range pairs {
		l := s.cluster.Network.Link(p[0], p[1])
		l.Cut = cut
		s.cluster.Network.Set(p[0], p[1], l)
		if s.cut[p] = l; !cut {
			delete(s.cut, p)
		}
	}
	return nil
}

func (s *Scenario) session(name string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.sessions[name] == nil {
		s.mu.sessions[name] = &Session{Name: fmt.Sprintf("%s.%d", name, s.mu.resets[name])}
	}
	return s.mu.sessions[name]
}

// reset begins a session anew after a write that it names was lost.
func (s *Scenario) reset(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.resets[name]++
	delete(s.mu.sessions, name)
}

func (a arguments) sessionName() string {
	if name := a.named["session"]; name != "" {
		return name
	}
	return "default"
}

// push pushes one driver's features, or those of several drivers one after the
// other.
func (s *Scenario) push(ctx context.Context, a arguments, isDelete bool) (string, error) {
	first, last, several := strings.Cut(a.named["driver"], "..")
	if !several {
		return s.pushOne(ctx, a, isDelete)
	}
	from, err := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if err = errors.Join(err, err2); err != nil {
		return "", err
	}
	var out string
	for n := from; n <= to && err == nil; n++ {
		a.named["driver"] = strconv.Itoa(n)
		out, err = s.pushOne(ctx, a, isDelete)
	}
	return out, err
}

func (s *Scenario) pushOne(ctx context.Context, a arguments, isDelete bool) (string, error) {
	p := Push{Region: a.region(0), Session: s.session(a.sessionName()), Delete: isDelete, Add: a.named["add"], Remove: a.named["remove"], Key: a.named["key"]}
	driver, err := a.number("driver")
	if err != nil || driver == nil {
		return "", errors.New("want driver=N")
	}
	p.Driver = *driver
	for name, v := range map[string]**int64{"x": &p.X, "w": &p.W, "n": &p.N, "m": &p.M, "d": &p.D, "z": &p.Z} {
		if *v, err = a.number(name); err != nil {
			return "", err
		}
	}
	if p.Age, err = a.duration("age", 0); err != nil {
		return "", err
	}
	write := s.preset.Write
	if p.Timeout, err = a.duration("timeout", cmp.Or(write.Timeout, 2*time.Second)); err != nil {
		return "", err
	}
	p.Concern = consistency.Concern{Kind: consistency.Local}
	if text := cmp.Or(a.named["concern"], write.Concern); text != "" {
		if p.Concern, err = consistency.ParseConcern(text); err != nil {
			return "", err
		}
	}
	op := s.history.Push(ctx, s.cluster, p)
	if errors.Is(op.Err, consistency.ErrSessionLost) {
		s.reset(a.sessionName())
	}
	text := fmt.Sprintf("stores=%d waited=%dms at=%v", op.Acks.Acks.Stores, op.Ended.Sub(op.Began).Milliseconds(), op.Position.Position.At)
	if op.Superseded {
		text += " superseded"
	}
	if op.Repeated {
		text += " repeated"
	}
	return text, op.Err
}

func (s *Scenario) lookup(ctx context.Context, a arguments) (string, error) {
	l := Lookup{Region: a.region(0), Session: s.session(a.sessionName()), Fallback: consistency.Fallback{Wait: 30 * time.Millisecond, Forward: true}}
	driver, err := a.number("driver")
	if err != nil || driver == nil {
		return "", errors.New("want driver=N")
	}
	l.Driver = *driver
	level := strings.ReplaceAll(a.named["level"], ";", "; ")
	read := s.preset.Read
	if level == "" {
		level = cmp.Or(read.Level, "session")
		if read.MaxStaleness != 0 {
			level += "; max-staleness=" + read.MaxStaleness.String()
		}
	}
	if len(read.Fallback) > 0 {
		if l.Fallback, err = consistency.ParseFallback(read.Fallback); err != nil {
			return "", err
		}
	}
	if l.Alternatives, err = consistency.ParseAlternatives(level); err != nil {
		return "", err
	}
	if l.Fallback.Wait, err = a.duration("wait", l.Fallback.Wait); err != nil {
		return "", err
	}
	if l.Fallback, err = l.Fallback.ParseOnUnmet(a.named["unmet"]); err != nil {
		return "", err
	}
	if l.Timeout, err = a.duration("timeout", 2*time.Second); err != nil {
		return "", err
	}
	op := s.history.Lookup(ctx, s.cluster, l)
	if errors.Is(op.Err, consistency.ErrSessionLost) {
		s.reset(a.sessionName())
	}
	if op.Err != nil {
		return "", op.Err
	}
	text := s.describe(op) + fmt.Sprintf(" level=%v served=%s waited=%dms", op.Met.Met.Level, op.Served, op.Met.Waited.Milliseconds())
	if op.Met.Members > 0 {
		text += fmt.Sprintf(" members=%d/%d", op.Met.Members, op.Met.Of)
	}
	if op.Met.Degraded {
		text += " degraded"
	}
	for _, lag := range op.Met.Lags {
		if lag.Time != consistency.UnknownLag {
			text += fmt.Sprintf(" lag.%s=%dms", lag.Region, lag.Time.Milliseconds())
		}
	}
	return text, nil
}

// describe prints what a lookup shows, by name.
func (s *Scenario) describe(op Operation) string {
	running := s.cluster.running()
	if len(running) == 0 {
		return "unknown" // all have crashed meanwhile
	}
	view, err := running[0].view(op.Driver)
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, f := range view.Fields {
		if c, ok := op.Row.Cell(f.ID); ok {
			words = append(words, f.Name+"="+strings.ReplaceAll(c.Read().String(), " ", ""))
			if n := len(c.AppendSiblings(nil)) - 1; n > 0 {
				words = append(words, fmt.Sprintf("conflicts.%s=%d", f.Name, n))
			}
		}
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, " ")
}

// async runs a command in the lane of its session.
func (s *Scenario) async(ctx context.Context, words []string) error {
	a, err := parseArguments(words)
	if err != nil {
		return err
	}
	name := a.sessionName()
	s.mu.Lock()
	defer s.mu.Unlock()
	lane := s.mu.lanes[name]
	if lane == nil {
		lane = make(chan func(), 1024)
		s.mu.lanes[name] = lane
		s.lanes.Go(func() {
			for f := range lane {
				f()
			}
		})
	}
	lane <- func() { _, _ = s.do(ctx, words) } // what it came to is in the history
	return nil
}

// drain waits for all that runs in lanes.
func (s *Scenario) drain() {
	s.mu.Lock()
	for name, lane := range s.mu.lanes {
		close(lane)
		delete(s.mu.lanes, name)
	}
	s.mu.Unlock()
	s.lanes.Wait()
}

func (s *Scenario) check(ctx context.Context) (string, error) {
	e, err := s.cluster.Gather(ctx, &s.history, s.Drivers)
	if err != nil {
		return "", err
	}
	e.Tails = s.tails
	if broken := Check(e); len(broken) > 0 {
		return "", &BrokenError{Violations: broken}
	}
	return fmt.Sprintf("%d operations, nothing broken", len(e.Operations)), nil
}

// BrokenError says which promises were broken.
type BrokenError struct{ Violations []Violation }

// maxShown bounds how many violations an error prints.
const maxShown = 8

// Error lists the first violations.
func (e *BrokenError) Error() string {
	text := fmt.Sprintf("%d promises broken:", len(e.Violations))
	for _, v := range e.Violations[:min(len(e.Violations), maxShown)] {
		text += "\n  " + v.String()
	}
	return text
}
