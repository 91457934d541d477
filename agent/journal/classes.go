package journal

import (
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// form is a pattern that is made when it is first needed.
func form(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// class is a kind of last words. A message is one of a class when it has one of
// the words, as a quick look, and matches the pattern, if there is one.
type class struct {
	kind  string
	words []string
	// pattern may name the groups program and detail.
	pattern func() *regexp.Regexp
	// detail finds the detail where no group does.
	detail func(text string) string
	// named: without a file of the system's that the message names it is none.
	named bool
	// certain: the words are said by who ends the program, not before it goes on.
	certain bool
}

// inUse are the words of bind(2) for a port that somebody has.
var inUse = []string{"ddress already in use", "EADDRINUSE", "Adresse déjà utilisée"}

// classes are the words of programs that cannot start, first match wins. Those
// of the C library (strerror(3)) are known in English and French.
var classes = []class{
	// ld.so(8), glibc elf/rtld.c and elf/dl-load.c: never translated, and it exits
	// with 127.
	{kind: "missingLibrary", certain: true, words: []string{"error while loading shared libraries: "},
		pattern: form(`^(?P<program>\S+): error while loading shared libraries: (?:\S*/)?(?P<detail>[\w.+-]+): (?:cannot open shared object file|file too short|invalid ELF header|cannot read file data)`)},
	{kind: "missingLibrary", certain: true, words: []string{"symbol lookup error: "},
		pattern: form(`^(?P<program>\S+): symbol lookup error: (?:\S*/)?(?P<detail>[\w.+-]+): undefined symbol: `)},
	{kind: "missingLibrary", certain: true, words: []string{"' not found (required by "},
		pattern: form("^(?P<program>\\S+): (?:\\S*/)?(?P<detail>[\\w.+-]+): version `[\\w.]+' not found \\(required by ")},
	// musl, ldso/dynlink.c.
	{kind: "missingLibrary", certain: true, words: []string{"Error loading shared library "},
		pattern: form(`^Error loading shared library (?:\S*/)?(?P<detail>[\w.+-]+): .* \(needed by (?P<program>\S+)\)`)},
	// execve(2), by a shell.
	{kind: "incompatible", certain: true, words: []string{"Exec format error", "Erreur de format pour exec()"},
		pattern: form(`(?P<program>/\S+): (?:cannot execute binary file: )?(?:Exec format error|Erreur de format pour exec\(\))`),
		detail:  func(string) string { return "ENOEXEC" }},
	// bind(2).
	{kind: "portInUse", words: inUse, detail: portIn},
	// Daemons that look for another one of themselves: PostgreSQL, chrony, Avahi,
	// rsyslog, cron, MariaDB and what is written like them.
	{kind: "instanceLock", words: []string{"already ", "lock"}, detail: systemFile,
		pattern: form(`(?i)already (?:be )?running|(?:lock|pid) ?file .{0,160}already exists?|can't lock |unable to lock |(?:could not|cannot|failed to) (?:acquire|get|obtain|take) (?:an? |the )?(?:exclusive )?lock`)},
	// OpenSSH, nginx, Apache, dnsmasq, Unbound and what is written like them.
	{kind: "configCorrupt", named: true, words: []string{"rror", "arse", "ad ", "nvalid", "nknown", "nexpected"}, detail: systemFile,
		pattern: form(`(?i)syntax error|pars(?:e|ing) error|(?:could not|cannot|unable to|failed to) parse|error (?:while )?parsing|bad (?:configuration )?option|invalid configuration|configuration error|unknown (?:directive|option|parameter|setting)|unexpected (?:end of file|token|character)`)},
	// open(2), mkdir(2), connect(2).
	{kind: "permission", words: []string{"ermission denied", "ermission non accordée"}},
}

// classify tells what class a message is of, whom and what it names, and whether
// it is certain that the program ended; "" for all others.
func classify(text string) (kind, program, detail string, certain bool) {
	for _, c := range classes {
		if !hasAny(text, c.words) {
			continue
		}
		if c.pattern != nil {
			m := c.pattern().FindStringSubmatch(text)
			if m == nil {
				continue
			}
			program, detail = group(c.pattern(), m, "program"), group(c.pattern(), m, "detail")
		}
		if c.detail != nil {
			if detail = c.detail(text); c.named && detail == "" {
				continue
			}
		}
		return c.kind, program, detail, c.certain
	}
	return "", "", "", false
}

func hasAny(text string, words []string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

func group(pattern *regexp.Regexp, match []string, name string) string {
	if i := pattern.SubexpIndex(name); i >= 0 {
		return match[i]
	}
	return ""
}

// portForm is a port behind an address, or named as one.
var portForm = form(`(?i)(?::|\bport )(\d{1,5})\b`)

// portIn finds the port in words about an address in use: the last before them,
// else the first after.
func portIn(text string) string {
	at := len(text)
	for _, words := range inUse {
		if i := strings.Index(text, words); i >= 0 {
			at = min(at, i)
		}
	}
	before := portForm().FindAllStringSubmatch(text[:at], -1)
	if len(before) == 0 {
		before = portForm().FindAllStringSubmatch(text[at:], 1)
	}
	if len(before) == 0 {
		return ""
	}
	port := before[len(before)-1][1]
	if n, err := strconv.Atoi(port); err != nil || n == 0 || n > 65535 {
		return ""
	}
	return port
}

// systemForm is a file of the system's, never of a user's.
var systemForm = form(`/(?:etc|usr|run|var/lib|var/run|opt|srv)/[\w./@+-]+`)

// systemFile is the base name of the file of the system's that a message names.
func systemFile(text string) string {
	found := systemForm().FindString(text)
	if found == "" {
		return ""
	}
	return strings.Trim(path.Base(found), ".")
}

// interpreters run programs that have another name.
var interpreters = form(`^(?:sh|dash|bash|ash|zsh|env|python[\d.]*|perl|ruby|node|nodejs|java|php[\d.]*|lua[\d.]*|\(.*\)|systemd)$`)

// nameForm is what a program is called that is told of.
var nameForm = form(`^[\w][\w.+@-]{0,63}$`)

// programName is what to call a program: the base name of its file, else what
// the kernel calls its process, else its service; "" where neither is a name.
func programName(file, process, unit string) string {
	service, isService := strings.CutSuffix(unit, ".service")
	for _, name := range []string{strings.TrimRight(path.Base(file), ":"), process, service} {
		switch {
		case name == service && !isService, name == "." || !nameForm().MatchString(name):
		case interpreters().MatchString(name) && isService && name != service:
		default:
			return name
		}
	}
	return ""
}
