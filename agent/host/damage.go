package host

import (
	"bytes"
	"strings"
)

// partOfProgram tells of a package's file whether its program needs it.
// Documentation, manuals and translations are not: an administrator may have told
// dpkg to leave them out (dpkg(1), path-exclude). What lies below node_modules is
// npm's, which replaces itself there (docs.npmjs.com, npm install -g npm), and
// what lies below etc and var is an administrator's or a program's own to change
// (FHS 3.0).
func partOfProgram(file string) bool {
	for _, dir := range []string{"usr/share/doc/", "usr/share/man/", "usr/share/info/", "usr/share/locale/", "usr/share/help/", "usr/share/lintian/", "usr/share/doc-base/", "usr/share/gnome/help/", "usr/lib/node_modules/", "etc/", "var/"} {
		if strings.HasPrefix(file, dir) {
			return false
		}
	}
	return true
}

// packageFile is a file as its package brought it.
type packageFile struct {
	name string // without the leading slash
	md5  string // in small letters
}

// parseMD5Sums reads a package's checksums: a sum, two spaces and a name a line
// (deb-md5sums(5)). A file that another package took over is no longer in the
// list of the package's files, and does not count; nor do files of configuration,
// which are in no checksums.
func parseMD5Sums(sums, list []byte) []packageFile {
	owned := map[string]bool{}
	for line := range bytes.Lines(list) {
		owned[strings.TrimPrefix(string(bytes.TrimRight(line, "\n")), "/")] = true
	}
	var files []packageFile
	for line := range bytes.Lines(sums) {
		sum, name, found := strings.Cut(string(bytes.TrimRight(line, "\n")), "  ")
		name = strings.TrimPrefix(strings.TrimPrefix(name, "./"), "/")
		if !found || len(sum) != 32 || name == "" || !owned[name] || !partOfProgram(name) || strings.Contains("/"+name+"/", "/../") {
			continue
		}
		files = append(files, packageFile{name, strings.ToLower(sum)})
	}
	return files
}

// diversion says where the files of a name went, of all packages but one.
type diversion struct{ to, by string }

// parseDiversions reads dpkg's diversions: three lines each, the name, where it
// goes, and the package that keeps the name, ":" for an administrator
// (dpkg-divert(1)).
func parseDiversions(content []byte) map[string]diversion {
	lines := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	all := map[string]diversion{}
	for i := 0; i+2 < len(lines); i += 3 {
		from, to := strings.TrimPrefix(lines[i], "/"), strings.TrimPrefix(lines[i+1], "/")
		if from != "" && to != "" && !strings.Contains("/"+to+"/", "/../") {
			all[from] = diversion{to, lines[i+2]}
		}
	}
	return all
}

// startable tells of a package's file whether it is what a person or the system
// starts the program by.
func startable(file string) bool {
	return strings.HasPrefix(file, "usr/share/applications/") && strings.HasSuffix(file, ".desktop") ||
		strings.Contains(file, "lib/systemd/system/") && strings.HasSuffix(file, ".service")
}

// rpmFile is a file that rpm found other than its package brought it.
type rpmFile struct {
	name string // with the leading slash
	// missing: it is not there; changed: its size or its content is another;
	// unread: it could not be compared.
	missing, changed, unread bool
}

// parseRPMVerify reads what rpm -V writes: nine signs of what was compared ("."
// the same, "?" not to be read, a letter where it differs, "S" for the size and
// "5" for the content) or "missing", a sign of the kind of file, and its name.
// Files of configuration, documentation, licences and what a program makes itself
// do not count, nor what an administrator may remove (rpm(8), VERIFY OPTIONS).
func parseRPMVerify(content []byte) []rpmFile {
	const signs = 9
	var files []rpmFile
	for line := range bytes.Lines(content) {
		said := strings.TrimRight(string(line), "\r\n")
		at := strings.IndexByte(said, '/')
		if at < 0 || len(files) == maxPackages {
			continue
		}
		f := rpmFile{name: strings.TrimSuffix(said[at:], " (Permission denied)")}
		head, kind := said[:at], ""
		if rest, gone := strings.CutPrefix(head, "missing"); gone {
			f.unread = strings.HasSuffix(said, " (Permission denied)")
			f.missing, kind = !f.unread, strings.TrimSpace(rest)
		} else {
			if len(head) < signs || strings.Trim(head[:signs], ".?SM5DLUGTPCA") != "" {
				continue
			}
			f.changed = head[0] == 'S' || head[2] == '5'
			f.unread = !f.changed && strings.Contains(head[:signs], "?")
			kind = strings.TrimSpace(head[signs:])
		}
		if kind != "" || !f.missing && !f.changed && !f.unread || !partOfProgram(f.name[1:]) || strings.Contains(f.name+"/", "/../") {
			continue
		}
		files = append(files, f)
	}
	return files
}
