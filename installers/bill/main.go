// Program bill writes what Go programs are made of: a bill of materials
// (CycloneDX 1.6), or the licences of their libraries. It reads the modules from
// the programs themselves, so that it tells what was linked and not what was
// wished for; what the console's pages load in browsers it reads from the table
// beside those files.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	format := flag.String("format", "cyclonedx", "cyclonedx or licences")
	version := flag.String("version", "", "version of the product")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: bill [--format cyclonedx|licences] [--version V] PROGRAM…")
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := run(os.Stdout, *format, *version, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bill:", err)
		os.Exit(2)
	}
}

func run(out io.Writer, format, version string, programs []string) error {
	modules, err := linked(programs)
	if err != nil {
		return err
	}
	switch format {
	case "licences":
		return writeLicences(out, modules)
	case "cyclonedx":
		return writeBill(out, version, programs, modules)
	}
	return fmt.Errorf("there is no format %q; choose cyclonedx or licences", format)
}

// module is a library, with the programs that link it.
type module struct {
	path, version, sum string
	// registry is where it comes from, as package URLs name it: golang or npm.
	registry string
	programs []string
	// texts are its licence files, by name.
	texts map[string]string
}

func (m *module) url() string { return "pkg:" + m.registry + "/" + m.path + "@" + m.version }

// linked gives the modules of all programs, sorted, the standard library first.
func linked(programs []string) ([]*module, error) {
	where, err := directories()
	if err != nil {
		return nil, err
	}
	known := map[string]*module{}
	add := func(m module, program string) {
		key := m.path + "@" + m.version
		if known[key] == nil {
			known[key] = &m
		}
		if name := filepath.Base(program); !slices.Contains(known[key].programs, name) {
			known[key].programs = append(known[key].programs, name)
		}
	}
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
		add(module{path: "std", version: strings.TrimPrefix(info.GoVersion, "go"), registry: "golang"}, program)
		for _, d := range info.Deps {
			if d.Replace != nil {
				d = d.Replace
			}
			add(module{path: d.Path, version: d.Version, sum: d.Sum, registry: "golang"}, program)
		}
		if info.Path == "constat/collector" {
			scripts, err := embedded(filepath.Join(where["constat"], "collector", "console", "static"))
			if err != nil {
				return nil, err
			}
			for _, script := range scripts {
				add(script, program)
			}
		}
	}
	var all []*module
	for _, m := range known {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *module) int {
		if (a.path == "std") != (b.path == "std") {
			if a.path == "std" {
				return -1
			}
			return 1
		}
		return strings.Compare(a.path+"@"+a.version, b.path+"@"+b.version)
	})
	for _, m := range all {
		if m.texts != nil {
			continue
		}
		if err := m.readLicences(where[m.path]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// embeddedRow is a line of the table of what browsers get: the file of its licence,
// and the package of npm that it is from.
var embeddedRow = regexp.MustCompile("\\(`([^`]+\\.LICENSE)`\\).*npm package `([^`]+)@([^`@]+)`")

// embedded are the libraries among the console's files.
func embedded(dir string) (all []module, err error) {
	table, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		return nil, err
	}
	for _, row := range embeddedRow.FindAllStringSubmatch(string(table), -1) {
		text, err := os.ReadFile(filepath.Join(dir, row[1]))
		if err != nil {
			return nil, err
		}
		all = append(all, module{path: row[2], version: row[3], registry: "npm", texts: map[string]string{row[1]: string(text)}})
	}
	licences, err := filepath.Glob(filepath.Join(dir, "*.LICENSE"))
	if err == nil && len(licences) != len(all) {
		err = fmt.Errorf("%s: %d licences, and README.md tells of %d libraries", dir, len(licences), len(all))
	}
	return all, err
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([-._].*)?$`)

// directories are where the sources of the modules lie that the programs were
// built from.
func directories() (map[string]string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	list, err := exec.Command("go", "list", "-m", "-f", "{{.Path}}\t{{.Dir}}", "all").Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m all: %w", err)
	}
	where := map[string]string{"std": strings.TrimSpace(string(root))}
	for line := range strings.Lines(string(list)) {
		path, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		where[path] = dir
	}
	return where, nil
}

// readLicences reads them; a library without any is an error: nobody could know
// how it may be used.
func (m *module) readLicences(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	m.texts = map[string]string{}
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		m.texts[e.Name()] = string(text)
	}
	if len(m.texts) == 0 {
		return fmt.Errorf("%s has no licence in %s", m.path, dir)
	}
	return nil
}

// words tell licences apart; the first that fit count.
var words = []struct{ id, contains string }{
	{"Apache-2.0", "Apache License"},
	{"MPL-2.0", "Mozilla Public License Version 2.0"},
	{"MPL-2.0", "Mozilla Public License, version 2.0"},
	{"BSD-3-Clause", "Neither the name"},
	{"BSD-3-Clause", "names of its contributors"},
	{"BSD-2-Clause", "Redistributions in binary form must reproduce"},
	{"0BSD", "Zero-Clause BSD"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any"},
	{"ISC", "Permission to use, copy, modify, and distribute this software for any"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"Zlib", "This software is provided 'as-is'"},
	{"Unlicense", "This is free and unencumbered software"},
}

// licences are the identifiers (SPDX) of its licences, sorted.
func (m *module) licences() (ids []string) {
	for name, text := range m.texts {
		if n := strings.ToLower(name); strings.HasPrefix(n, "notice") || strings.HasPrefix(n, "patents") {
			continue
		}
		flat := strings.Join(strings.Fields(text), " ")
		for _, w := range words {
			if strings.Contains(flat, w.contains) {
				if !slices.Contains(ids, w.id) {
					ids = append(ids, w.id)
				}
				break
			}
		}
	}
	slices.Sort(ids)
	return ids
}

func writeLicences(out io.Writer, modules []*module) error {
	for _, m := range modules {
		var names []string
		for name := range m.texts {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if _, err := fmt.Fprintf(out, "%s\n%s %s: %s\n%s\n\n%s\n\n", strings.Repeat("=", 72), m.path, m.version, name,
				strings.Repeat("=", 72), strings.TrimSpace(m.texts[name])); err != nil {
				return err
			}
		}
	}
	return nil
}

// The parts of a CycloneDX document that are used.
type (
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	licence struct {
		Licence struct {
			ID   string `json:"id,omitempty"`
			Name string `json:"name,omitempty"`
		} `json:"license"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	component struct {
		Type       string     `json:"type"`
		Reference  string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version"`
		Hashes     []hash     `json:"hashes,omitempty"`
		Licences   []licence  `json:"licenses,omitempty"`
		URL        string     `json:"purl,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	dependency struct {
		Reference string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

func writeBill(out io.Writer, version string, programs []string, modules []*module) error {
	var components []component
	var dependencies []dependency
	for _, program := range programs {
		content, err := os.ReadFile(program)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		name := filepath.Base(program)
		components = append(components, component{
			Type: "application", Reference: name, Name: name, Version: version,
			Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}}, Licences: licenceList([]string{"Apache-2.0"}),
		})
		d := dependency{Reference: name, DependsOn: []string{}}
		for _, m := range modules {
			if slices.Contains(m.programs, name) {
				d.DependsOn = append(d.DependsOn, m.url())
			}
		}
		dependencies = append(dependencies, d)
	}
	for _, m := range modules {
		c := component{Type: "library", Reference: m.url(), Name: m.path, Version: m.version, URL: m.url(), Licences: licenceList(m.licences())}
		if m.sum != "" {
			c.Properties = []property{{"go:sum", m.sum}}
		}
		components = append(components, c)
	}
	document := struct {
		Format       string         `json:"bomFormat"`
		Spec         string         `json:"specVersion"`
		Version      int            `json:"version"`
		Metadata     map[string]any `json:"metadata"`
		Components   []component    `json:"components"`
		Dependencies []dependency   `json:"dependencies"`
	}{"CycloneDX", "1.6", 1, map[string]any{
		"component": component{Type: "application", Reference: "constat", Name: "constat", Version: version},
	}, components, dependencies}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(document)
}

func licenceList(ids []string) (list []licence) {
	for _, id := range ids {
		var l licence
		l.Licence.ID = id
		list = append(list, l)
	}
	if len(list) == 0 {
		var l licence
		l.Licence.Name = "see the licence file"
		list = append(list, l)
	}
	return list
}
