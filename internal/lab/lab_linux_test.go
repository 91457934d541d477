package lab

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// recipes are all of them.
func recipes() []recipe {
	return slices.Concat(faultRecipes, netfactRecipes, linkRecipes, otherRecipes, strangeRecipes, wayRecipes)
}

// scenario is a world to be made: what is wrong, and what it lies in.
type scenario struct {
	recipes []recipe
	around  surroundings
	// plain: the surroundings have nothing unusual, so chance can't fail it.
	plain bool
	draw  *rand.Rand
}

// faults are those that are injected; none: healthy.
func (c scenario) faults() (ids []string) {
	for _, r := range c.recipes {
		if r.fault != healthy {
			ids = append(ids, r.fault)
		}
	}
	return ids
}

func (c scenario) String() string {
	var how []string
	for _, r := range c.recipes {
		how = append(how, r.how)
	}
	text := cmp.Or(strings.Join(how, "; "), "nothing is wrong")
	if c.plain {
		return text
	}
	return text + " [" + c.around.String() + "]"
}

// run makes the world and asks the agent.
func (c scenario) run(t *testing.T, agent string) Run {
	s := newScene(t, c.around, c.draw)
	for _, r := range c.recipes {
		r.inject(s)
	}
	calm()
	run := s.diagnose(t, agent)
	run.How, run.Faults = c.String(), c.faults()
	if len(run.Faults) > 0 {
		run.Fault = run.Faults[0]
	}
	if len(run.Faults) < 2 {
		run.Faults = nil
	}
	return run
}

// calm waits, not for ever, until this machine has time for a world in which
// milliseconds count.
func calm() {
	deadline := time.Now().Add(10 * time.Second)
	for inTime := 0; inTime < 3 && time.Now().Before(deadline); {
		start := time.Now()
		time.Sleep(2 * time.Millisecond)
		inTime++
		if time.Since(start) > 12*time.Millisecond {
			inTime = 0
		}
	}
}

// breadth is how many scenarios are drawn.
type breadth struct {
	variants int // of each recipe, beside the plain one
	doubles  int // of each pair; 0: each third pair once
	healthy  int
}

// scenarios are drawn from a seed, for the fault that only selects ("": all).
func scenarios(seed, only string, b breadth) (all []scenario) {
	for _, rec := range recipes() {
		if only != "" && only != cmp.Or(rec.fault, "healthy") {
			continue
		}
		if around := plainFor(rec.needs); around.meets(rec.needs) {
			all = append(all, scenario{[]recipe{rec}, around, true, drawing("plain", rec.how)})
		}
		for n := range b.variants {
			r := drawing(seed, rec.fault, rec.how, n)
			all = append(all, scenario{[]recipe{rec}, drawSurroundings(r, rec.needs), false, r})
		}
	}
	for i, pair := range doubles {
		if only != "" && only != "double" && !slices.Contains(pair[:], only) || b.doubles == 0 && i%3 != 0 {
			continue
		}
		for n := range max(b.doubles, 1) {
			r := drawing(seed, "double", pair, n)
			one := recipeOf(r, pair[0], "")
			other := recipeOf(r, pair[1], one.how)
			all = append(all, scenario{[]recipe{one, other}, drawSurroundings(r, one.needs|other.needs), false, r})
		}
	}
	for n := range b.healthy {
		if only == "" || only == "healthy" {
			r := drawing(seed, "healthy", n)
			all = append(all, scenario{nil, drawSurroundings(r, anywhere), false, r})
		}
	}
	return all
}

// plainFor are surroundings without surprises, but for what is needed.
func plainFor(n need) surroundings {
	a := plain()
	if n&proxied != 0 {
		a.proxyMode = proxyOnly
	}
	a.remoteWork = n&remote != 0
	if n&otherPorts != 0 {
		a.otherPort = "587"
	}
	return a
}

// recipeOf is one of a fault's recipes for a double fault; one that does not
// undo the other, which may have the same site.
func recipeOf(r *rand.Rand, fault, other string) recipe {
	return pick(r, slices.DeleteFunc(slices.Clone(faultRecipes), func(rec recipe) bool {
		return rec.fault != fault || rec.needs&proxied != 0 || strings.Contains(rec.how, "intranet") && strings.Contains(other, "intranet")
	})...)
}

// TestLab puts real faults into real networks and asks the real agent. In plain
// surroundings every recipe must be named first; those in drawn surroundings
// have to be right as a whole.
//
// FAULT=id runs the recipes of one fault, FAULT=healthy those without any,
// FAULT=double the pairs.
// CONSTAT_LAB=whole draws as many as the report wants, SEED=words draws others.
func TestLab(t *testing.T) {
	Need(t, "root, to make network namespaces", os.Geteuid() == 0)
	agent := buildAgent(t)
	seed, only := cmp.Or(os.Getenv("SEED"), "constat"), os.Getenv("FAULT")
	whole := os.Getenv("CONSTAT_LAB") == "whole"
	b := breadth{variants: 0, doubles: 0, healthy: 12}
	switch {
	case whole:
		b = breadth{variants: 3, doubles: 1, healthy: 60}
	case only != "":
		b = breadth{variants: 3, doubles: 1, healthy: 6}
	}
	all := scenarios(seed, only, b)
	if len(all) == 0 {
		t.Skipf("FAULT=%s has no recipe in this part of the lab", only)
	}
	var mu sync.Mutex
	var runs []Run
	t.Run("worlds", func(t *testing.T) {
		for i, c := range all {
			t.Run(fmt.Sprintf("%s/%d", cmp.Or(strings.Join(c.faults(), "+"), "healthy"), i), func(t *testing.T) {
				t.Parallel()
				run := c.run(t, agent)
				// A machine that is busy with other tests loses time, and with it
				// frames: a miss is looked at again, in a world made anew. What is
				// published is said at the first look.
				for again := 0; run.wrong() != "" && !whole && again < 2; again++ {
					t.Logf("%s: %s, %s: once more", c, run.wrong(), run.said())
					run = c.run(t, agent)
				}
				Record(t, "network", run)
				mu.Lock()
				defer mu.Unlock()
				runs = append(runs, run)
				switch wrong := run.wrong(); {
				case wrong == "":
					t.Logf("%s: right, %s, %d ms", c, run.said(), run.ElapsedMs)
				case c.plain && !whole:
					t.Errorf("%s: %s, %s", c, wrong, run.said())
				default:
					t.Logf("%s: MISS, %s, %s", c, wrong, run.said())
				}
			})
		}
	})
	s := count(ownWords(runs))
	t.Logf("seed %q\n%s", seed, s)
	if !whole && only == "" && (s.alarmsConfirmed.is*10 > s.alarmsConfirmed.of || s.first.is*10 < s.first.of*9) {
		t.Error("too much is wrong")
	}
}

// buildAgent builds the program that users run.
func buildAgent(t *testing.T) string {
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} { // it also runs as an ordinary user
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "constat-agent")
	out, err := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", file, "constat/agent").CombinedOutput()
	if err != nil {
		t.Fatalf("building the agent: %v\n%s", err, out)
	}
	return file
}
