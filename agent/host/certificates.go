package host

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// Limits of certificates of the machine: files of a directory, certificates in
// a file and in all.
const (
	maxCertificateFiles = 200
	maxCertificates     = 100
)

// machineCertificates reads the certificates in a PEM or DER file that were
// issued for somebody, as opposed to those of authorities. Purpose is what the
// place says; "" takes it from the certificate.
func machineCertificates(content []byte, purpose string) []*constatv1.MachineCertificate {
	var found []*constatv1.MachineCertificate
	add := func(der []byte) {
		c, err := x509.ParseCertificate(der)
		if err != nil || c.IsCA || len(found) == maxCertificates {
			return
		}
		found = append(found, &constatv1.MachineCertificate{
			Subject: filled(cmp.Or(c.Subject.CommonName, firstOf(c.DNSNames), c.Subject.String())),
			Issuer:  filled(cmp.Or(c.Issuer.CommonName, firstOf(c.Issuer.Organization))),
			Purpose: set(cmp.Or(purpose, purposeOf(c))), NotAfter: timestamppb.New(c.NotAfter),
		})
	}
	block, rest := pem.Decode(content)
	if block == nil {
		add(content)
	}
	for ; block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			add(block.Bytes)
		}
	}
	return found
}

func firstOf(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// purposeOf tells what a certificate may be used for (RFC 5280 section
// 4.2.1.12). One for both ends is a machine's own, so a client's.
func purposeOf(c *x509.Certificate) string {
	switch {
	case slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return "client"
	case slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth):
		return "server"
	}
	return "other"
}

// isCertificateFile tells by its name whether a file may hold a certificate and
// is no private key: those are not even opened.
func isCertificateFile(name string) bool {
	lower := strings.ToLower(name)
	if strings.Contains(lower, "key") {
		return false
	}
	return slices.ContainsFunc([]string{".pem", ".crt", ".cer", ".der"}, func(end string) bool { return strings.HasSuffix(lower, end) })
}
