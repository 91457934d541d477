package compile

import (
	"strings"
	"testing"
	"testing/fstest"
)

// sound is a catalog of two faults; each case below breaks one line of it.
const sound = `- id: os-one
  urgency: low
  title:
    en: One
    fr: Un
  explanation: {en: One is wrong., fr: Un ne va pas.}
  advice:
    user: {en: Do it., fr: Faites-le.}
    technician: {en: Do it well., fr: Faites-le bien.}
  needs: [load]
  rule: |
    load.cpu.busy_percent > 1.0
    && load.memory.available_percent < 5
  decisive: "true"
  evidence:
    - each: load.processes
      where: it.cpu_percent > 80.0
      show: [cpu_percent, name]
      component: it.name
  explains: [os-two]
  look_alikes: [{fault: os-two, check: {en: Look., fr: Regardez.}}]
  remedies: [set-clock]
  source: test
- id: os-two
  urgency: low
  title: {en: Two, fr: Deux}
  explanation: {en: Two is wrong., fr: Deux ne va pas.}
  advice:
    user: {en: Do it., fr: Faites-le.}
    technician: {en: Do it well., fr: Faites-le bien.}
  needs: [space]
  rule: space.filesystems.exists(f, f.system)
  decisive: "true"
  evidence:
    - show: [load.cpu.busy_percent]
  source: test
`

func TestLoadSaysWhereAndWhatWasExpected(t *testing.T) {
	load := func(files map[string]string) error {
		fsys := fstest.MapFS{}
		for name, content := range files {
			fsys[name] = &fstest.MapFile{Data: []byte(content)}
		}
		_, err := Load(fsys)
		return err
	}
	if err := load(map[string]string{"os.yaml": sound}); err != nil {
		t.Fatal("the catalog that the cases break is not sound itself:", err)
	}
	for _, tt := range []struct {
		name     string
		old, new string
		want     []string
	}{
		{"wrong type", "f.system)", "f.total_bytes)", []string{"os.yaml:32:", "expected type 'bool' but found 'int'"}},
		{"not a condition", "space.filesystems.exists(f, f.system)", "space.filesystems.size()", []string{"os.yaml:32:9: expected an expression of type bool, this one is of type int"}},
		{"unknown fact", "f.system)", "f.sytem)", []string{"os.yaml:32:", "undefined field 'sytem'", "FileSystemUse has mount_point"}},
		{"unknown fact on a rule's second line", "load.memory.available_percent", "load.memory.free", []string{"os.yaml:13:", "undefined field 'free'", "available_percent"}},
		{"unknown group", "space.filesystems.exists(f, f.system)", "disks.exists(f, f.system)", []string{"os.yaml:32:9:", "undeclared reference to 'disks'", "expected a group (host,"}},
		{"syntax of a rule", "exists(f, f.system)", "exists(f, f.system", []string{"os.yaml:32:", "Syntax error"}},
		{"unknown fact to show", "show: [cpu_percent, name]", "show: [cpu_percent, nam]", []string{`os.yaml:18:27: fault os-one: unknown fact "nam"`, "expected one of name, pid"}},
		{"whole group to show", "show: [load.cpu.busy_percent]", "show: [load]", []string{"os.yaml:35:14:", "not a whole group"}},
		{"list that is none", "each: load.processes", "each: load.cpu.threads", []string{"os.yaml:16:13:", "expects the path of a list"}},
		{
			"condition on an element without a list", "    - each: load.processes\n      where: it.cpu_percent > 80.0\n      show: [cpu_percent, name]\n      component: it.name",
			"    - where: it.cpu_percent > 80.0\n      show: [load.cpu.busy_percent]", []string{"os.yaml:16:14:", "undeclared reference to 'it'"},
		},
		{"component of another type", "component: it.name", "component: it.pid", []string{"os.yaml:19:18: expected an expression of type string"}},
		{"missing text", "    fr: Un\n", "", []string{"os.yaml:1:7: fault os-one: expected text for title.fr"}},
		{"empty text", "fr: Deux}", `fr: ""}`, []string{"os.yaml:26:24: fault os-two: expected text for title.fr"}},
		{"unknown placeholder", "en: One\n", "en: One {device}\n", []string{"os.yaml:4:9:", "the only placeholder is {component|"}},
		{"missing rule", "  rule: space.filesystems.exists(f, f.system)\n", "", []string{"os.yaml:24:7: fault os-two: expected text for rule"}},
		{"missing evidence", "  evidence:\n    - show: [load.cpu.busy_percent]\n", "", []string{"os.yaml:24:7: fault os-two: expected at least one line of evidence"}},
		{"unknown key", "  source: test\n-", "  sauce: test\n-", []string{"os.yaml:23:3:", `unknown field "sauce"; expected a list of which each has id, urgency, title (en, fr)`, "by_choice, wide, logged, source"}},
		{"unknown urgency", "urgency: low\n  title: {", "urgency: soon\n  title: {", []string{`os.yaml:25:12: fault os-two: unknown urgency "soon"; expected one of low, normal, high, critical`}},
		{"unknown remedy", "set-clock", "reinstall", []string{`os.yaml:22:14: fault os-one: unknown remedy "reinstall"; expected one of clear-stuck-job`}},
		{"unknown group needed", "needs: [space]", "needs: [disk]", []string{`os.yaml:31:11: fault os-two: unknown group "disk"; expected one of host`}},
		{"needs that the rule does not ask", "needs: [space]", "needs: [space, usb]", []string{"os.yaml:32:9: fault os-two: needs is [space, usb], but the rule asks [space]"}},
		{"explains an unknown fault", "explains: [os-two]", "explains: [os-three]", []string{`os.yaml:20:14: fault os-one: explains names "os-three"; expected the id of a fault`}},
		{"explains one twice", "explains: [os-two]", "explains: [os-two, os-two]", []string{"os.yaml:20:22: fault os-one: explains names os-two twice"}},
		{"looks like an unknown fault", "{fault: os-two", "{fault: os-three", []string{`os.yaml:21:25: fault os-one: look_alikes names "os-three"`}},
		{"cycle", "  needs: [space]", "  needs: [space]\n  explains: [os-one]", []string{"os.yaml:1:7: cycle of explains: os-one → os-two → os-one"}},
		{"two of one id", "id: os-two", "id: os-one", []string{"os.yaml:24:7: fault os-one is defined twice; first at os.yaml:1"}},
		{"bad id", "id: os-two", "id: Disk", []string{`os.yaml:24:7: expected an id like os-disk-full, found "Disk"`}},
		{"no YAML", "  needs: [space]", "  needs: [space", []string{"os.yaml:3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			broken := strings.Replace(sound, tt.old, tt.new, 1)
			if broken == sound {
				t.Fatal("the case changes nothing")
			}
			err := load(map[string]string{"os.yaml": broken})
			if err == nil {
				t.Fatal("it was loaded")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
		})
	}
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing", nil, "expected files named <domain>.yaml"},
		{"unknown domain", map[string]string{"kitchen.yaml": sound}, `kitchen.yaml:1:1: unknown domain "kitchen"; expected a file named after one of cisco`},
		{"too large", map[string]string{"os.yaml": strings.Repeat("#", maxFileSize+1)}, "os.yaml:1:1: larger than"},
		{"term named badly", map[string]string{"os.yaml": sound, "terms.yaml": "- {name: load, means: x, rule: 'true'}"}, "terms.yaml:1:10: a term's name is like gateway_answers"},
		{"term twice", map[string]string{"os.yaml": sound, "terms.yaml": "- {name: a_b, means: x, rule: 'true'}\n- {name: a_b, means: x, rule: 'true'}"}, "terms.yaml:2:10: term a_b is defined twice"},
		{"term without a meaning", map[string]string{"os.yaml": sound, "terms.yaml": "- {name: a_b, rule: 'true'}"}, "terms.yaml:1:10: term a_b: expected the keys means and rule"},
		{"term before its parts", map[string]string{"os.yaml": sound, "terms.yaml": "- {name: a_b, means: x, rule: b_c}\n- {name: b_c, means: x, rule: 'true'}"}, "terms.yaml:1:31: term b_c is defined further down"},
		{"several problems at once", map[string]string{"os.yaml": strings.NewReplacer("set-clock", "dance", "explains: [os-two]", "explains: [os-x]").Replace(sound)}, "dance"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := load(tt.files)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error does not say %q:\n%v", tt.want, err)
			}
			if tt.name == "several problems at once" && strings.Count(err.Error(), "\n") != 1 {
				t.Errorf("expected both problems, one a line:\n%v", err)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte("- id: [1, {2: &a *a}]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > 1<<12 {
			return
		}
		// Site-made catalogs are uploaded: whatever they hold, an error at worst.
		c, err := Load(fstest.MapFS{"os.yaml": &fstest.MapFile{Data: content}})
		if (c == nil) == (err == nil) {
			t.Errorf("catalog %v, error %v", c, err)
		}
	})
}
