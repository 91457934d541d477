package host

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// certificatePlaces are where Linux machines keep certificates of their own, by
// what uses them; a "*" stands for one directory more. Trust stores are not
// among them.
var certificatePlaces = []struct{ dir, purpose string }{
	{"/etc/NetworkManager/certs", "network"},
	{"/etc/wpa_supplicant", "network"},
	{"/etc/wpa_supplicant/certs", "network"},
	{"/etc/openvpn", "network"},
	{"/etc/openvpn/client", "network"},
	{"/etc/ipsec.d/certs", "network"},
	{"/etc/swanctl/x509", "network"},
	{"/etc/pki/consumer", "client"},
	{"/etc/pki/tls/certs", ""},
	{"/etc/puppetlabs/puppet/ssl/certs", "client"},
	{"/var/lib/puppet/ssl/certs", "client"},
	{"/etc/cups/ssl", "server"},
	{"/etc/letsencrypt/live/*", "server"},
}

// readCertificates reads the machine's certificates, sorted by what they are
// for and whom they name. The error says which places could not be looked at;
// what was found elsewhere stands.
func readCertificates(r *reader) (found []*constatv1.MachineCertificate, err error) {
	var hidden []string
	there := false
	for _, place := range certificatePlaces {
		for _, dir := range places(r, place.dir) {
			names, err := r.names(dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			there = true
			if err != nil {
				hidden = append(hidden, dir)
				continue
			}
			for _, name := range names[:min(len(names), maxCertificateFiles)] {
				info, err := r.stat(dir + "/" + name)
				if err != nil || !info.Mode().IsRegular() || info.Size() > maxRootFile || !isCertificateFile(name) {
					continue
				}
				content, err := r.file(dir + "/" + name)
				if err != nil {
					hidden = append(hidden, dir+"/"+name)
					continue
				}
				found = append(found, machineCertificates(content, place.purpose)...)
			}
		}
	}
	key := func(c *constatv1.MachineCertificate) string {
		return c.GetPurpose() + "\x00" + c.GetSubject() + "\x00" + c.GetIssuer() + "\x00" + c.GetNotAfter().AsTime().String()
	}
	slices.SortFunc(found, func(a, b *constatv1.MachineCertificate) int { return strings.Compare(key(a), key(b)) })
	found = slices.CompactFunc(found, func(a, b *constatv1.MachineCertificate) bool { return key(a) == key(b) })
	switch {
	case len(hidden) > 0:
		err = fmt.Errorf("%s: %w", strings.Join(hidden[:min(len(hidden), 5)], ", "), fs.ErrPermission)
	case !there:
		err = fmt.Errorf("none of the places where Linux programs keep the machine's certificates is there: %w", errors.ErrUnsupported)
	}
	return found[:min(len(found), maxCertificates)], err
}

// places are the directories that a place's pattern means.
func places(r *reader, pattern string) []string {
	parent, starred := strings.CutSuffix(pattern, "/*")
	if !starred {
		return []string{pattern}
	}
	names, err := r.names(parent)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []string{parent} // and looking into it tells why
	}
	var dirs []string
	for _, name := range names[:min(len(names), maxCertificateFiles)] {
		if info, err := r.stat(parent + "/" + name); err == nil && info.IsDir() {
			dirs = append(dirs, parent+"/"+name)
		}
	}
	return dirs
}
