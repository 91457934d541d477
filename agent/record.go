package main

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"constat/agent/host"
	constatv1 "constat/proto/constat/v1"
)

// Bounds of a recording. In bytes: of one source, and of all.
const (
	maxRecorded    = 8 << 20
	maxRecordedAll = 64 << 20
	// maxNames is how many names of a network are looked for; a computer knows some.
	maxNames = 256
)

// recorder keeps what readers read, as it came, for somebody who has no such
// machine: what tells of a person, a machine or a network is replaced, each by the
// same word wherever it stands.
type recorder struct {
	mu      sync.Mutex
	sources map[string][]byte
	size    int
	left    []string
}

// neverRecorded are sources that are full of what programs were at work with, of keys'
// owners or of an organisation's own: what was read of them is in the facts.
var neverRecorded = []string{"DiagnosticReports", "log show", "klist", "odutil", "wdutil", "dsconfigad", "OriginalNodeName", "profiles list", "find-certificate", "/var/log/", "/etc/ssl/", "/var/lib/NetworkManager", "/etc/NetworkManager", "/etc/wpa_supplicant", "wpa_supplicant"}

// attach has a reader's raw input recorded.
func (r *recorder) attach(c *host.Config) {
	r.sources = map[string][]byte{}
	c.Record = func(source string, content []byte) {
		r.mu.Lock()
		defer r.mu.Unlock()
		secret := slices.ContainsFunc(neverRecorded, func(part string) bool { return strings.Contains(source, part) })
		switch {
		case r.sources[source] != nil:
		case secret, len(content) > maxRecorded, r.size+len(content) > maxRecordedAll:
			if !slices.Contains(r.left, source) {
				r.left = append(r.left, source)
			}
		default:
			r.sources[source] = slices.Clone(content)
			r.size += len(content)
		}
	}
}

// write puts the recording into a directory, which must be new or empty, with the
// facts that were made of it.
func (r *recorder) write(dir string, s *constatv1.Snapshot) error {
	if err := emptyDirectory(dir); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	told := proto.CloneOf(s)
	if told.Security != nil { // whom they were made for, in words of all kinds
		told.Security.AddedRoots, told.Security.Certificates, told.Security.Profiles = nil, nil, nil
	}
	if told.Network != nil {
		told.Network.HostsOverrides = nil // the file itself is there, with other names
	}
	facts, err := protojson.MarshalOptions{Multiline: true}.Marshal(told)
	if err != nil {
		return err
	}
	names := slices.Sorted(func(yield func(string) bool) {
		for source := range r.sources {
			if !yield(source) {
				return
			}
		}
	})
	hide := newRedactor(machineNames(s))
	hide.learn("facts.json", facts)
	for _, source := range names {
		hide.learn(source, r.sources[source])
	}
	index := "What was read, without names, serial numbers and addresses: in their place stand\nwords like serial-1, the same ones everywhere. Look through it before you send it.\n\n"
	for i, source := range names {
		file := fmt.Sprintf("%03d-%s", i+1, fileName(hide.source(source)))
		if err := os.WriteFile(filepath.Join(dir, file), hide.content(source, r.sources[source]), 0o600); err != nil {
			return err
		}
		index += file + "\t" + hide.source(source) + "\n"
	}
	slices.Sort(r.left)
	for _, source := range r.left {
		index += "not recorded\t" + hide.source(source) + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "facts.json"), hide.content("facts.json", facts), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "index.txt"), []byte(index), 0o600)
}

// emptyDirectory makes a directory for one person; one that holds something is not
// taken.
func emptyDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return fmt.Errorf("%s is not empty: name a new directory", dir)
	}
	return nil
}

// fileName is a source as a file's name.
func fileName(source string) string {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' {
			return c
		}
		return '_'
	}, strings.Trim(source, "/"))
	return name[:min(len(name), 100)]
}

// machineNames are the names of this machine and of its people.
func machineNames(s *constatv1.Snapshot) map[string]string {
	names := map[string]string{}
	add := func(kind, name string) {
		if len(name) > 2 && !slices.Contains([]string{"root", "localhost", "user", "admin", "console"}, strings.ToLower(name)) {
			names[name] = kind
		}
	}
	if name, err := os.Hostname(); err == nil {
		add("host", name)
		short, _, _ := strings.Cut(name, ".")
		add("host", short)
	}
	add("host", s.GetHost().GetHostname())
	add("domain", s.GetHost().GetDomain())
	if u, err := user.Current(); err == nil {
		add("person", u.Username)
		for _, part := range strings.Fields(u.Name) {
			add("person", part)
		}
	}
	for _, session := range s.GetHost().GetSessions() {
		add("person", session.GetUser())
	}
	for _, account := range s.GetSignIn().GetAccounts() {
		add("person", account.GetUser())
	}
	for _, name := range networkNames(s) {
		add("host", name)
	}
	for _, dir := range []string{"/Users", "/home"} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if e.Name() != "Shared" && !strings.HasPrefix(e.Name(), ".") {
				add("person", e.Name())
			}
		}
	}
	return names
}

// networkNames are the names of machines and domains in a snapshot: of servers that
// were asked, of proxies, printers and shares.
func networkNames(s *constatv1.Snapshot) (names []string) {
	add := func(text string) {
		if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
			text = u.Hostname()
		} else if host, _, err := net.SplitHostPort(text); err == nil {
			text = host
		}
		text = strings.TrimLeft(text, "*.")
		if _, err := netip.ParseAddr(text); err != nil && strings.Contains(text, ".") && !public(text) {
			names = append(names, text)
		}
	}
	n := s.GetNetwork()
	texts := slices.Concat(n.GetSearchDomains(), n.GetProxy().GetExceptions(), []string{
		n.GetProxy().GetHttp(), n.GetProxy().GetHttps(), n.GetProxy().GetPacUrl(), s.GetSignIn().GetDirectory().GetName(), s.GetSignIn().GetDirectory().GetServer(), s.GetClock().GetSource(),
	})
	for _, r := range n.GetResolvers() {
		texts = append(texts, r.GetDomains()...)
	}
	for _, v := range n.GetVpns() {
		texts = append(texts, v.GetGateway())
	}
	for _, h := range n.GetNeighbours() {
		texts = append(texts, h.GetSystemName(), h.GetChassisId())
	}
	for _, q := range s.GetPrinting().GetQueues() {
		texts = append(texts, q.GetDeviceUri())
	}
	for _, p := range s.GetPrinting().GetPrinters() {
		texts = append(texts, p.GetAddress())
	}
	for _, p := range s.GetProbes().GetServices() {
		texts = append(texts, p.GetHost(), p.GetName())
	}
	for _, m := range s.GetStorage().GetMounts() {
		if m.GetRemote() {
			texts = append(texts, m.GetDevice())
		}
	}
	for _, text := range texts {
		add(text)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return names[:min(len(names), maxNames)]
}

// public tells whether a name is known to everybody, and is left as it is.
func public(name string) bool {
	name = "." + strings.ToLower(name)
	return slices.ContainsFunc([]string{".apple.com", ".arpa", ".local", ".example.com", ".one.one.one.one"}, func(known string) bool { return strings.HasSuffix(name, known) })
}

// redactor replaces what tells who and where. It first learns from all there is,
// so that what one source calls a serial number is found in the others too.
type redactor struct {
	// words stand for what was learnt; kinds count them.
	words map[string]string
	kinds map[string]int
	// names are those of people and machines, which may be parts of other words:
	// they count at the edges of words only.
	names map[string]string
	edges *regexp.Regexp
	exact *strings.Replacer
}

func newRedactor(names map[string]string) *redactor {
	d := &redactor{words: map[string]string{}, kinds: map[string]int{}, names: map[string]string{}}
	var quoted []string
	sorted := slices.Sorted(func(yield func(string) bool) {
		for name := range names {
			if !yield(name) {
				return
			}
		}
	})
	slices.SortStableFunc(sorted, func(a, b string) int { return len(b) - len(a) })
	for _, name := range sorted {
		d.names[strings.ToLower(name)] = d.word(names[name], strings.ToLower(name))
		quoted = append(quoted, regexp.QuoteMeta(name))
	}
	if len(quoted) > 0 {
		d.edges = regexp.MustCompile(`(?i)(^|[^\pL\pN])(` + strings.Join(quoted, "|") + `)($|[^\pL\pN])`)
	}
	return d
}

// word is what stands for a value of some kind.
func (d *redactor) word(kind, value string) string {
	if known, ok := d.words[value]; ok {
		return known
	}
	d.kinds[kind]++
	d.words[value] = fmt.Sprintf("%s-%d", kind, d.kinds[kind])
	return d.words[value]
}

// tellingKeys are parts of the names of properties whose values are of one machine,
// person or network only, and what is written in their place.
const tellingKeys = `serial|uuid|udid|hostname|computer[ _]?name|host[ _]?name|user[ _]?name|owner|ssid|bssid|(?:^|[ _])mac(?:$|[ _])|asset|volume[ _]?name|network_service|account|search domain|domain|crashreporter|incident|client_?identifier|forest|mdm server|machine_?hash|ecid|imei|meid`

// Forms in which a property and its value are written: JSON, property lists, ioreg,
// lines for people.
var (
	telling      = lazily(`(?i)` + tellingKeys)
	jsonPair     = lazily(`"([^"\\]{1,100})"\s*:\s*"((?:[^"\\]|\\.){1,300})"`)
	plistPair    = lazily(`<key>([^<]{1,100})</key>\s*<string>([^<]{1,300})</string>`)
	linePair     = lazily(`(?m)^[ \t|]*"?([A-Za-z][^:="\n]{0,80}?)(?:\[\d+\])?"?[ \t]*[:=][ \t]+"?([^"\n{<][^"\n]{0,300}?)"?[ \t]*$`)
	plistData    = lazily(`(?s)<data>(.*?)</data>`)
	hexData      = lazily(`<[0-9a-f]{16,}>`)
	hardware     = lazily(`(?i)\b[0-9a-f]{1,2}(?:[:-][0-9a-f]{1,2}){5}\b`)
	uuidForm     = lazily(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)
	mailForm     = lazily(`[\pL\pN._%+-]{1,64}@[\pL\pN.-]{1,100}\.[\pL]{2,20}`)
	inet4Form    = lazily(`\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b`)
	inet6Form    = lazily(`(?i)(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}`)
	serialForm   = lazily(`\b[A-Z0-9]{10,20}\b`)
	homeForm     = lazily(`/(Users|home|Volumes|media)/([^/\n"<:]{1,100})`)
	possessive   = lazily(`\pL[\pL.-]{1,40}([’']s )`)
	accountForm  = lazily(`//[^/@\s"<]{1,100}@`)
	replacedForm = lazily(`(^|\.)(domain|host|name|person)-\d+`)
	hostForm     = lazily(`(?i)(?:\b[a-z0-9][a-z0-9-]{0,62}\.)+[a-z][a-z0-9-]{0,22}[a-z0-9]\b`)
)

// lazily compiles an expression when it is first used: most commands record
// nothing.
func lazily(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// learn notes the values in a source that are told by their property's name.
func (d *redactor) learn(source string, content []byte) {
	text := string(content)
	if telling().MatchString(path.Base(source)) && len(content) < 200 && !strings.Contains(source, " ") {
		d.note(path.Base(source), strings.TrimSpace(text)) // a file that is one value
	}
	networks := strings.Contains(source, "SPAirPort")
	for _, form := range []*regexp.Regexp{jsonPair(), plistPair(), linePair()} {
		for _, pair := range form.FindAllStringSubmatch(text, 200_000) {
			switch {
			case networks && pair[1] == "_name" && !strings.HasPrefix(pair[2], "en") && !strings.HasPrefix(pair[2], "awdl"):
				d.note("ssid", pair[2])
			case telling().MatchString(pair[1]):
				d.note(pair[1], pair[2])
			}
		}
	}
}

// note has a value replaced; words that machines have in common are left.
func (d *redactor) note(key, value string) {
	value = strings.TrimSpace(value)
	lower := strings.ToLower(value)
	common := []string{"", "yes", "no", "none", "true", "false", "unknown", "local", "(null)", "<redacted>", "not available", "root", "localhost"}
	if len(value) < 4 || slices.Contains(common, lower) || strings.HasPrefix(lower, "com.apple.") || strings.Trim(value, "0123456789.") == "" && len(value) < 6 {
		return
	}
	if _, err := netip.ParseAddr(value); err == nil {
		return // they have a form of their own
	}
	kind := "name"
	switch key = strings.ToLower(key); {
	case strings.Contains(key, "serial"), strings.Contains(key, "udid"), strings.Contains(key, "asset"), strings.Contains(key, "ecid"), strings.Contains(key, "imei"):
		kind = "serial"
	case strings.Contains(key, "ssid"):
		kind = "network"
	case strings.Contains(key, "domain"):
		kind = "domain"
	case strings.Contains(key, "uuid"), hardware().MatchString(value), uuidForm().MatchString(value):
		return
	}
	d.word(kind, value)
	d.exact = nil
}

// ofNetworks are sources in which words with dots are names of machines and domains.
var ofNetworks = []string{"scutil", "ipconfig", "networksetup", "profiles status", "/etc/hosts", "/etc/resolv.conf", "/etc/ntp.conf", "sysctl kern.hostname"}

// hosts replaces names of machines and domains by their form. What begins as names of
// programs do ("com.example.vpn") is none.
func (d *redactor) hosts(text string) string {
	return hostForm().ReplaceAllStringFunc(text, func(name string) string {
		first, _, _ := strings.Cut(strings.ToLower(name), ".")
		if slices.Contains([]string{"com", "org", "net", "io", "de", "fr"}, first) || public(name) {
			return name
		}
		if at := replacedForm().FindStringIndex(name); at != nil { // a machine of a domain that was
			if at[0] == 0 {
				return name
			}
			return d.form("host", strings.ToLower(name[:at[0]])) + name[at[0]:]
		}
		return d.form("host", strings.ToLower(name)) + ".example"
	})
}

// source is a source's name without what tells of people.
func (d *redactor) source(source string) string { return string(d.plain(source)) }

// content is a source's content, without what was learnt and what has a form.
func (d *redactor) content(source string, content []byte) []byte {
	text := string(content)
	text = plistData().ReplaceAllStringFunc(text, func(element string) string {
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(element[len("<data>"):len(element)-len("</data>")]), ""))
		if err != nil || !printable(raw) {
			return "<data></data>" // a key, a picture, or a serial number in some form
		}
		return "<data>" + base64.StdEncoding.EncodeToString([]byte(d.plain(string(raw)))) + "</data>"
	})
	text = d.plain(hexData().ReplaceAllString(text, "<>"))
	if slices.ContainsFunc(ofNetworks, func(part string) bool { return strings.HasPrefix(source, part) }) {
		text = d.hosts(text)
	}
	return []byte(text)
}

func printable(raw []byte) bool {
	return !slices.ContainsFunc(raw, func(c byte) bool { return c != 0 && (c < ' ' || c > '~') })
}

// plain replaces what was learnt, and then what tells by its form.
func (d *redactor) plain(text string) string {
	if d.exact == nil {
		values := slices.Collect(func(yield func(string) bool) {
			for value := range d.words {
				if _, isName := d.names[value]; !isName && !yield(value) {
					return
				}
			}
		})
		slices.SortFunc(values, func(a, b string) int {
			if len(a) != len(b) {
				return len(b) - len(a)
			}
			return strings.Compare(a, b)
		})
		var pairs []string
		for _, value := range values {
			pairs = append(pairs, value, d.words[value])
		}
		d.exact = strings.NewReplacer(pairs...)
	}
	text = d.exact.Replace(text)
	text = homeForm().ReplaceAllStringFunc(text, func(found string) string {
		parts := homeForm().FindStringSubmatch(found)
		if parts[2] == "Shared" {
			return found
		}
		return "/" + parts[1] + "/" + d.form("person", parts[2])
	})
	text = accountForm().ReplaceAllString(text, "//")
	text = mailForm().ReplaceAllStringFunc(text, func(mail string) string { return d.form("mail", mail) + "@example.org" })
	text = uuidForm().ReplaceAllStringFunc(text, func(id string) string {
		return fmt.Sprintf("00000000-0000-4000-8000-%012s", strings.TrimPrefix(d.form("uuid", strings.ToLower(id)), "uuid-"))
	})
	text = hardware().ReplaceAllStringFunc(text, func(mac string) string {
		n, _ := strconv.Atoi(strings.TrimPrefix(d.form("mac", strings.ToLower(mac)), "mac-"))
		return fmt.Sprintf("02:00:00:00:%02x:%02x", n>>8&0xff, n&0xff)
	})
	text = inet6Form().ReplaceAllStringFunc(text, d.inet6)
	text = inet4Form().ReplaceAllStringFunc(text, d.inet4)
	text = serialForm().ReplaceAllStringFunc(text, func(serial string) string {
		if strings.Trim(serial, "0123456789") == "" || !strings.ContainsAny(serial, "0123456789") {
			return serial // a number, or a word
		}
		return d.form("serial", serial)
	})
	text = possessive().ReplaceAllString(text, "Somebody$1")
	if d.edges != nil {
		for range 2 { // neighbours share an edge
			text = d.edges.ReplaceAllStringFunc(text, func(found string) string {
				parts := d.edges.FindStringSubmatch(found)
				return parts[1] + d.names[strings.ToLower(parts[2])] + parts[3]
			})
		}
	}
	return text
}

// form is the word for what was found by its form. It is not looked for elsewhere:
// its form is enough.
func (d *redactor) form(kind, value string) string {
	key := kind + "\x00" + value
	if known, ok := d.names[key]; ok {
		return known
	}
	d.kinds[kind]++
	d.names[key] = fmt.Sprintf("%s-%d", kind, d.kinds[kind])
	return d.names[key]
}

// inet4 replaces an address by one of the same sort: private, link-local, or of the
// world. What means no machine stays: nothing, all, this one, a mask.
func (d *redactor) inet4(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || strings.HasPrefix(text, "255.") {
		return text
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(d.form("inet", text), "inet-"))
	switch {
	case a.IsLinkLocalUnicast():
		return fmt.Sprintf("169.254.%d.%d", n>>8&0xff, n&0xff)
	case a.IsPrivate():
		return fmt.Sprintf("10.0.%d.%d", n>>8&0xff, n&0xff)
	}
	return fmt.Sprintf("198.18.%d.%d", n>>8&0xff, n&0xff) // kept for tests (RFC 2544)
}

func (d *redactor) inet6(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() {
		return text // a time of day, more often than not
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(d.form("inet6", text), "inet6-"))
	switch {
	case a.IsLinkLocalUnicast():
		return fmt.Sprintf("fe80::%x", n)
	case a.IsPrivate():
		return fmt.Sprintf("fd00::%x", n)
	}
	return fmt.Sprintf("2001:db8::%x", n)
}
