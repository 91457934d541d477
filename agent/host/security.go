package host

import (
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"slices"
	"strconv"
	"strings"
	"time"
)

// securityTable has one protection product a line: its unit, its name and its
// kind, between tabs.
//
//go:embed data/security.tsv
var securityTable string

// protection is a product of the table.
type protection struct{ unit, name, kind string }

// protections is the table, in its order.
var protections = func() (list []protection) {
	for line := range strings.Lines(securityTable) {
		if row := strings.Split(strings.TrimSpace(line), "\t"); len(row) == 3 && !strings.HasPrefix(line, "#") {
			list = append(list, protection{row[0], row[1], row[2]})
		}
	}
	return list
}()

// Limits of certificates that someone added: files, bytes of one file, and
// certificates in all.
const (
	maxRootFiles = 500
	maxRootFile  = 1 << 20
	maxRoots     = 500
)

// rootSubjects names the certificates in a file, PEM or DER, by their subject:
// the common name, else the unit or the organisation. What is no certificate is
// passed over.
func rootSubjects(content []byte) []string {
	var names []string
	add := func(der []byte) {
		c, err := x509.ParseCertificate(der)
		if err != nil || len(names) == maxRoots {
			return
		}
		candidates := slices.Concat([]string{c.Subject.CommonName}, c.Subject.OrganizationalUnit, c.Subject.Organization)
		if i := slices.IndexFunc(candidates, func(name string) bool { return name != "" }); i >= 0 {
			names = append(names, candidates[i])
		}
	}
	block, rest := pem.Decode(content)
	if block == nil {
		add(content)
	}
	for ; block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" || block.Type == "TRUSTED CERTIFICATE" {
			add(block.Bytes)
		}
	}
	return names
}

// unitGroup is where systemd puts the processes of a system service, below the
// root of control groups: an instance of a template has its template's slice.
func unitGroup(unit string) string {
	if template, _, found := strings.Cut(unit, "@"); found {
		return "system.slice/system-" + strings.ReplaceAll(template, "-", `\x2d`) + ".slice/" + unit
	}
	return "system.slice/" + unit
}

// signaturesGood is how old ClamAV's signatures may be: clamscan(1) itself warns
// of older ones.
const signaturesGood = 7 * 24 * time.Hour

// clamBuilt reads when ClamAV's signatures were made, in the head of its database:
// "ClamAV-VDB:" and fields with colons between them, the last of which is the
// time, seconds since 1970; zero where it does not tell.
func clamBuilt(head []byte) time.Time {
	line, found := strings.CutPrefix(string(head[:min(len(head), 512)]), "ClamAV-VDB:")
	if !found {
		return time.Time{}
	}
	fields := strings.Split(line, ":")
	if len(fields) < 8 {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(strings.TrimRight(fields[7], " \x00\n"), 10, 64)
	if err != nil || seconds < 1e9 || seconds > 1<<37 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
