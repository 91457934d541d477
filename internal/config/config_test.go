package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

type settings struct {
	Data      string        `yaml:"data"`
	KeyFile   string        `yaml:"keyFile"`
	Peers     []string      `yaml:"peers"`
	Heartbeat time.Duration `yaml:"heartbeat"`
	Verbose   bool          `yaml:"verbose"`
	Targets   struct {
		TCP []string `yaml:"tcp"`
	} `yaml:"targets"`
}

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "constat.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoadPrecedence(t *testing.T) {
	file := write(t, "data: /file\nkeyFile: /file.key\nverbose: true\ntargets:\n  tcp: [192.0.2.1:443]\n")
	env := map[string]string{"CONSTAT_KEY_FILE": "/env.key", "CONSTAT_PEERS": "a:1, b:2", "CONSTAT_DATA": "/env"}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.String("data", "/default", "")
	flags.Duration("heartbeat", time.Minute, "")
	if err := flags.Parse([]string{"--data", "/flag"}); err != nil {
		t.Fatal(err)
	}
	got := settings{Data: "/default", Heartbeat: time.Minute}
	err := Load(&got, file, func(k string) (string, bool) { v, ok := env[k]; return v, ok }, flags)
	if err != nil {
		t.Fatal(err)
	}
	want := settings{Data: "/flag", KeyFile: "/env.key", Peers: []string{"a:1", "b:2"}, Heartbeat: time.Minute, Verbose: true}
	want.Targets.TCP = []string{"192.0.2.1:443"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLoadErrors(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	for name, c := range map[string]struct {
		file string
		env  func(string) (string, bool)
		want string
	}{
		"unknown key":  {write(t, "data: /x\nspelt-wrong: 1\n"), none, `constat.yaml:2:1: unknown field "spelt-wrong"`},
		"wrong type":   {write(t, "data: /x\npeers: 7\n"), none, "constat.yaml:2:8: "},
		"twice":        {write(t, "data: /x\ndata: /y\n"), none, `constat.yaml:2:1: "data" is there twice`},
		"a list":       {write(t, "verbose: [true]\n"), none, "constat.yaml:1:10: a single value was expected, not a list"},
		"no keys":      {write(t, "- data\n"), none, "constat.yaml:1:1: keys with values were expected, not a list"},
		"not a number": {write(t, "heartbeat: soon\n"), none, `constat.yaml:1:12: "soon" is not a duration`},
		"no boolean":   {write(t, "verbose: maybe\n"), none, `constat.yaml:1:10: "maybe" is neither true nor false`},
		"an alias":     {write(t, "data: &a x\nkeyFile: *a\n"), none, "constat.yaml:2:10: aliases are not read"},
		"two of them":  {write(t, "data: /x\n---\ndata: /y\n"), none, "second document"},
		"a tab":        {write(t, "data: /x\npeers:\n\t- a\n"), none, "constat.yaml:3:1: this is not YAML"},
		"not YAML":     {write(t, "data: [\n"), none, "constat.yaml:1:"},
		"missing file": {"/does/not/exist.yaml", none, "there is no configuration file /does/not/exist.yaml"},
		"too large":    {write(t, strings.Repeat("#", maxFile+1)), none, "a configuration has at most"},
		"environment":  {"", func(k string) (string, bool) { return "soon", k == "CONSTAT_HEARTBEAT" }, `CONSTAT_HEARTBEAT: "soon" is not a duration`},
	} {
		t.Run(name, func(t *testing.T) {
			err := Load(&settings{}, c.file, c.env, pflag.NewFlagSet("test", pflag.ContinueOnError))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("data: /x\npeers: [a, b]\n"))
	f.Add([]byte("? [\n- {:"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4096 {
			return
		}
		var s settings
		_ = Parse(text, &s)
	})
}

// TestCommentsKeepDefaults: a file as packages install it sets nothing.
func TestCommentsKeepDefaults(t *testing.T) {
	got := settings{Data: "/default"}
	if err := Parse([]byte("# nothing\n---\n\n  # yet\n"), &got); err != nil || got.Data != "/default" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFile(t *testing.T) {
	packaged := write(t, "")
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.String("data", "/default", "")
	for _, c := range []struct{ named, packaged, want string }{
		{"", packaged, packaged},
		{"mine.yaml", packaged, "mine.yaml"},
		{"", packaged + ".absent", ""},
	} {
		if got := File(c.named, c.packaged, flags); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if err := flags.Set("data", "/other"); err != nil {
		t.Fatal(err)
	}
	if got := File("", packaged, flags); got != "" {
		t.Errorf("another installation's data with the packaged configuration %q", got)
	}
}
