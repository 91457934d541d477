// Program pkg writes packages for macOS on any system: the universal programs,
// the list of files (Bom), the archives and what holds them together (xar). The
// same files give the same bytes.
//
// What the parts look like is nowhere specified by who made them. The archives
// are cpio's and gzip's; xar is described by its project
// (github.com/mackyle/xar, wiki "xarformat"), the list of files by what others
// found out (github.com/hogliux/bomutils), and the two documents by Apple's
// "Distribution Definition XML Reference".
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	var p product
	root := flag.String("root", "", "directory that holds what is installed, as it is to lie below /")
	scripts := flag.String("scripts", "", "directory with preinstall and postinstall")
	out := flag.String("out", "", "the package to write; with --fat: the universal program")
	fat := flag.Bool("fat", false, "join the programs that are named into a universal one")
	seconds := flag.Int64("time", 0, "the time of everything in it, in seconds since 1970")
	flag.StringVar(&p.version, "version", "", "its version")
	flag.StringVar(&p.processors, "processors", "", "what it is for: x86_64, arm64, or both with a comma")
	flag.Parse()
	var written []byte
	var err error
	if *fat {
		written, err = join(flag.Args())
	} else {
		p.time = time.Unix(*seconds, 0).UTC()
		written, err = p.write(*root, *scripts)
	}
	if err == nil {
		mode := os.FileMode(0o644)
		if *fat {
			mode = 0o755
		}
		err = os.WriteFile(*out, written, mode)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pkg:", err)
		os.Exit(1)
	}
}

// file is what one path of a package is. All belong to root and wheel.
type file struct {
	path    string // "." or "./usr/local"
	mode    uint32 // as stat(2) gives it
	content []byte
}

const (
	directory = 0o040000
	regular   = 0o100000
)

// read lists a directory with everything below it, parents first. Rights are
// what the owner has, for everyone; nobody else writes.
func read(top string) (files []file, err error) {
	err = filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		f := file{path: "."}
		if below != "." {
			f.path = "./" + filepath.ToSlash(below)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			f.mode = directory | 0o755
		case info.Mode().IsRegular():
			f.mode = regular | 0o644
			if info.Mode()&0o100 != 0 {
				f.mode = regular | 0o755
			}
			f.content, err = os.ReadFile(path)
		default:
			err = fmt.Errorf("%s is neither a file nor a directory", path)
		}
		files = append(files, f)
		return err
	})
	return files, err
}
