package host

import (
	"crypto/x509"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	constatv1 "constat/proto/constat/v1"
)

// certificateOf finds the certificate in a value "Blob" of the registry's
// certificate stores: properties, each with its number, a one, its length and its
// content, of which number 32 is the certificate (CERT_CERT_PROP_ID, as
// CertSerializeCertificateStoreElement writes it); nil where there is none.
func certificateOf(blob []byte) []byte {
	const certificate = 32
	for len(blob) >= 12 {
		id, length := binary.LittleEndian.Uint32(blob), binary.LittleEndian.Uint32(blob[8:])
		blob = blob[12:]
		if uint64(length) > uint64(len(blob)) {
			return nil
		}
		if id == certificate {
			return blob[:length]
		}
		blob = blob[length:]
	}
	return nil
}

// shippedRoots are organisations and units of the roots that Windows itself puts
// into the store of the machine.
var shippedRoots = []string{"Microsoft", "VeriSign", "Thawte", "Symantec", "DigiCert", "GlobalSign", "Baltimore", "Comodo", "USERTRUST", "AAA Certificate Services", "Class 3 Public Primary", "WFA Hotspot 2.0"}

// addedRoot names a root that somebody added, "" for one that Windows brought.
func addedRoot(der []byte) string {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return ""
	}
	texts := slices.Concat(c.Subject.Organization, c.Subject.OrganizationalUnit, []string{c.Subject.CommonName})
	for _, text := range texts {
		for _, shipped := range shippedRoots {
			if strings.Contains(strings.ToLower(text), strings.ToLower(shipped)) {
				return ""
			}
		}
	}
	if names := rootSubjects(der); len(names) > 0 {
		return names[0]
	}
	return ""
}

// securityProduct reads a product that has registered with Windows' Security
// Center: its state has in one byte whether it is on (0x10), in another whether
// it is too old (0x10).
func securityProduct(key registryKey, kind string) *constatv1.SecurityProduct {
	name, state := key.text("DISPLAYNAME"), key.number("STATE")
	if name == "" {
		return nil
	}
	p := &constatv1.SecurityProduct{Name: &name, Kind: &kind}
	if state != nil {
		p.Enabled = set(*state>>8&0xf0 == 0x10)
		if kind == "antivirus" {
			p.UpToDate = set(*state&0xf0 != 0x10)
		}
	}
	return p
}

// defender is Windows' own protection against viruses, from its keys: it is on
// when its service runs and no policy or person switched its watch off, and good
// for a week after its signatures (as Windows itself warns).
func defender(running bool, watch, signatures registryKey, now time.Time) *constatv1.SecurityProduct {
	p := &constatv1.SecurityProduct{Name: set("Microsoft Defender Antivirus"), Kind: set("antivirus"), Enabled: set(running && !watch.is("DisableRealtimeMonitoring", 1))}
	if raw := signatures.bytes("AVSignatureApplied"); len(raw) == 8 {
		if at := fileTime(binary.LittleEndian.Uint64(raw)); !at.IsZero() {
			p.UpToDate = set(now.Sub(at) <= signaturesGood)
		}
	}
	return p
}

// edrServices are services of products that watch a machine for its organisation.
var edrServices = map[string]string{
	"CSFalconService": "CrowdStrike Falcon", "CbDefense": "Carbon Black Cloud", "CylanceSvc": "Cylance", "SentinelAgent": "SentinelOne",
	"Sense": "Microsoft Defender for Endpoint", "Sophos MCS Agent": "Sophos", "cyserver": "Cortex XDR", "TaniumClient": "Tanium", "WazuhSvc": "Wazuh",
}
