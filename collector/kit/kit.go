// Package kit makes what an administrator carries to the machines: the agent's
// packages as they were released, beside them the collector's address and a
// token in a form that each system's tools install, and what to type there.
package kit

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Order is what goes into a kit.
type Order struct {
	// Collector is where agents reach it, host:port.
	Collector string
	// Token enrols so many machines until it expires.
	Token   string
	Uses    int
	Expires time.Time
}

// Kit is a directory that waits for its order. All that needs rights is done
// when it is made; who fills it may have given them up.
type Kit struct {
	dir string
	// packages are the agent's, by the kind of the table below.
	packages map[string][]string
	// secret are the files with a token in them; only their owner reads them.
	secret map[string]*os.File
	// whole are the packages that go into zips as they are: what is signed stays as
	// it was signed.
	whole map[string][]byte
	made  time.Time
}

// kinds are the packages that a release has, by their ending.
var kinds = []string{"deb", "rpm", "msi", "pkg"}

// processor is how the name of a package ends that is for one kind of Mac only; the
// words are those of uname -m.
var processor = regexp.MustCompile(`-(arm64|x86_64)\.pkg$`)

// ErrNoPackages says that there is nothing to install.
var ErrNoPackages = errors.New("no packages of the agent")

// New makes the directory and copies the agent's packages into it from another.
// The token's files are made empty, so that nothing is in the way of a token
// once there is one.
func New(dir, from string, now time.Time) (*Kit, error) {
	k := &Kit{dir: dir, packages: map[string][]string{}, secret: map[string]*os.File{}, whole: map[string][]byte{}, made: now.UTC()}
	for _, kind := range kinds {
		files, err := filepath.Glob(filepath.Join(from, "constat-agent*."+kind))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			k.packages[kind] = append(k.packages[kind], filepath.Base(file))
		}
	}
	// One package for all Macs, where there is one, else those for their processors.
	universal := slices.DeleteFunc(slices.Clone(k.packages["pkg"]), func(name string) bool { return processor.MatchString(name) })
	if len(universal) > 0 {
		k.packages["pkg"] = universal
	}
	if len(k.packages) == 0 {
		return nil, fmt.Errorf("there are %w (constat-agent*.deb, .rpm, .msi or .pkg) in %s; name the directory that holds those of a release with --packages", ErrNoPackages, from)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty; name a directory that is, or one that is still to be made", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	err := k.prepare(from)
	if err != nil {
		return nil, errors.Join(err, k.close())
	}
	return k, nil
}

func (k *Kit) prepare(from string) error {
	for _, name := range slices.Concat(k.packages["deb"], k.packages["rpm"]) {
		if err := copyFile(filepath.Join(k.dir, name), filepath.Join(from, name)); err != nil {
			return err
		}
	}
	for _, name := range k.names() {
		file, err := os.OpenFile(filepath.Join(k.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		k.secret[name] = file
	}
	for _, kind := range []string{"msi", "pkg"} {
		for _, name := range k.packages[kind] {
			content, err := os.ReadFile(filepath.Join(from, name))
			if err != nil {
				return err
			}
			k.whole[name] = content
		}
	}
	return nil
}

// names are the files with a token in them.
func (k *Kit) names() (names []string) {
	for _, row := range []struct{ kind, name string }{
		{"deb", fmt.Sprintf("constat-enrolment_%s_all.deb", k.version())},
		{"rpm", fmt.Sprintf("constat-enrolment-%s-1.noarch.rpm", k.version())},
		{"msi", "constat-windows.zip"},
		{"pkg", "constat-macos.zip"},
		{"", "README.txt"},
		{"", "LISEZMOI.txt"},
	} {
		if row.kind == "" || len(k.packages[row.kind]) > 0 {
			names = append(names, row.name)
		}
	}
	return names
}

// version orders kits by their time, so that a later one replaces an earlier one.
func (k *Kit) version() string { return k.made.Format("20060102150405") }

// Fill writes the order into the kit, and gives what to do with it, in a
// language.
func (k *Kit) Fill(o Order, language string) (steps string, err error) {
	defer func() { err = errors.Join(err, k.close()) }()
	environment := fmt.Sprintf("CONSTAT_COLLECTOR=%s\nCONSTAT_TOKEN=%s\n", o.Collector, o.Token)
	for name, file := range k.secret {
		var content []byte
		switch {
		case strings.HasSuffix(name, ".deb"):
			content, err = deb(k.version(), environment, k.made)
		case strings.HasSuffix(name, ".rpm"):
			content, err = rpm(k.version(), environment, k.made)
		case name == "constat-windows.zip":
			content, err = k.zipped("msi", inside{"token.txt", 0o600, o.Token + "\r\n"},
				inside{"install.cmd", 0o644, fmt.Sprintf(windowsScript, k.packages["msi"][0], o.Collector)})
		case name == "constat-macos.zip":
			content, err = k.zipped("pkg", inside{"enrolment.env", 0o600, environment},
				inside{"install.sh", 0o644, fmt.Sprintf(macScript, processor.ReplaceAllString(k.packages["pkg"][0], "-$$(uname -m).pkg"))})
		case name == "README.txt":
			content = []byte(k.steps(o, "en"))
		case name == "LISEZMOI.txt":
			content = []byte(k.steps(o, "fr"))
		}
		if err == nil {
			_, err = file.Write(content)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", filepath.Join(k.dir, name), err)
		}
	}
	return k.steps(o, language), nil
}

func (k *Kit) close() (err error) {
	for name, file := range k.secret {
		err = errors.Join(err, file.Close())
		delete(k.secret, name)
	}
	return err
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// windowsScript is what stands in the zip for Windows. Each machine needs the
// token only until it is enrolled; the installer hands the file to the program.
const windowsScript = "@echo off\r\n" +
	"rem Run as administrator, or by Intune, a group policy or SCCM.\r\n" +
	"msiexec /i \"%%~dp0%s\" /qn /norestart COLLECTOR=%s ENROLTOKENFILE=\"%%~dp0token.txt\" /l* \"%%TEMP%%\\constat-agent.log\"\r\n" +
	"set code=%%errorlevel%%\r\n" +
	"if %%code%% neq 0 if %%code%% neq 3010 (\r\n" +
	"  echo The installation failed: see %%TEMP%%\\constat-agent.log / L'installation a echoue : voir ce fichier.\r\n" +
	"  exit /b %%code%%\r\n" +
	")\r\n" +
	"rem A token that is spent or a silent collector shows once the service asked.\r\n" +
	"for /l %%%%i in (1,1,10) do (\r\n" +
	"  \"%%ProgramW6432%%\\Constat\\constat-agent.exe\" status --wait 20s >\"%%TEMP%%\\constat-agent-status.txt\" 2>&1\r\n" +
	"  if not errorlevel 2 goto said\r\n" +
	"  ping -n 2 127.0.0.1 >nul\r\n" +
	")\r\n" +
	":said\r\n" +
	"type \"%%TEMP%%\\constat-agent-status.txt\"\r\n" +
	"rem The installer's log has its letters in two bytes each.\r\n" +
	"cmd /u /c type \"%%TEMP%%\\constat-agent-status.txt\" >>\"%%TEMP%%\\constat-agent.log\"\r\n" +
	"exit /b %%code%%\r\n"

// macScript is what stands in the zip for macOS.
const macScript = `#!/bin/sh
# Run as root, or by Jamf or Munki.
set -eu
cd "$(dirname "$0")"
install -d -m 755 "/Library/Application Support/Constat"
install -m 600 enrolment.env "/Library/Application Support/Constat/enrolment.env"
installer -pkg "%s" -target /
# A token that is spent or a silent collector shows once the service asked.
/usr/local/bin/constat-agent status --wait 20s || true
`

// inside is a file of a zip.
type inside struct {
	name    string
	mode    fs.FileMode
	content string
}

// zipped is a zip of the packages of a kind and more files.
func (k *Kit) zipped(kind string, more ...inside) ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	add := func(name string, mode fs.FileMode, method uint16, content []byte) error {
		header := &zip.FileHeader{Name: name, Method: method, Modified: k.made}
		header.SetMode(mode)
		w, err := z.CreateHeader(header)
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	}
	for _, name := range k.packages[kind] {
		if err := add(name, 0o644, zip.Store, k.whole[name]); err != nil {
			return nil, err
		}
	}
	for _, m := range more {
		if err := add(m.name, m.mode, zip.Deflate, []byte(m.content)); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}
