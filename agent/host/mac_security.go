package host

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// macProtections are protection products by the application that shows they are
// installed, and the process that does the work, as the kernel names it.
var macProtections = []struct{ app, name, kind, process string }{
	{"/Applications/Microsoft Defender.app", "Microsoft Defender for Endpoint", "edr", "wdavdaemon"},
	{"/Applications/Falcon.app", "CrowdStrike Falcon", "edr", "com.crowdstrike.falcon.Agent"},
	{"/Applications/SentinelOne/SentinelOne Extensions.app", "SentinelOne", "edr", "sentineld"},
	{"/Applications/Sophos/Sophos Endpoint.app", "Sophos Endpoint", "edr", "SophosScanD"},
	{"/Applications/ESET Endpoint Antivirus.app", "ESET Endpoint Antivirus", "antivirus", "esets_daemon"},
	{"/Applications/Bitdefender/Endpoint Security for Mac.app", "Bitdefender GravityZone", "antivirus", "BDLDaemon"},
	{"/Applications/Cortex XDR.app", "Palo Alto Cortex XDR", "edr", "cortex_xdr"},
	{"/Applications/Trellix Endpoint Security for Mac.app", "Trellix Endpoint Security", "antivirus", ""},
	{"/Library/Elastic/Endpoint/elastic-endpoint.app", "Elastic Defend", "edr", "elastic-endpoint"},
	{"/Library/Ossec", "Wazuh", "edr", "wazuh-agentd"},
}

// macProducts are the products that are there, and whether they work. Processes
// are the names of all that run; nil: not known.
func macProducts(installed func(path string) bool, processes map[string]bool) (list []*constatv1.SecurityProduct) {
	for _, p := range macProtections {
		if !installed(p.app) {
			continue
		}
		one := &constatv1.SecurityProduct{Name: set(p.name), Kind: set(p.kind)}
		if processes != nil && p.process != "" {
			runs := processes[p.process]
			one.Enabled = &runs
		}
		list = append(list, one)
	}
	return list
}

// macCertificates reads the certificates of the system's keychain, as security(1)
// writes them: those of authorities that sign themselves were added by someone,
// those for somebody are the machine's own. Whether an authority is trusted, and
// for what, is in settings beside the keychain.
func macCertificates(content []byte) (roots []string, own []*constatv1.MachineCertificate) {
	for count := 0; count < maxRoots; count++ {
		block, rest := pem.Decode(content)
		if block == nil {
			break
		}
		content = rest
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue
		}
		switch {
		case c.IsCA && bytes.Equal(c.RawSubject, c.RawIssuer):
			roots = append(roots, rootSubjects(block.Bytes)...)
		case !c.IsCA && !strings.HasPrefix(c.Subject.CommonName, "com.apple."): // each Mac makes itself some
			own = append(own, machineCertificates(block.Bytes, "")...)
		}
	}
	slices.Sort(roots)
	return slices.Compact(roots), own[:min(len(own), maxCertificates)]
}

// macIntegrity reads csrutil status: “System Integrity Protection status: enabled.”
// One that is put together by hand (“unknown (Custom Configuration)”) is neither.
func macIntegrity(content []byte) *bool {
	first, _, _ := strings.Cut(string(content[:min(len(content), 1000)]), "\n")
	if key, value := labelled(first); key == "System Integrity Protection status" {
		switch word, _, _ := strings.Cut(value, "."); word {
		case "enabled":
			return set(true)
		case "disabled":
			return set(false)
		}
	}
	return nil
}

// macManaged reads profiles status -type enrollment: “MDM enrollment: Yes (User
// Approved)”.
func macManaged(content []byte) *bool {
	for line := range strings.Lines(string(content[:min(len(content), 4000)])) {
		if key, value := labelled(line); key == "MDM enrollment" {
			switch word, _, _ := strings.Cut(value, " "); word {
			case "Yes":
				return set(true)
			case "No":
				return set(false)
			}
		}
	}
	return nil
}

// maxProfiled bounds how many profiles are told.
const maxProfiled = 64

// macProfiles are the names of the machine's own profiles, of what profiles list
// -output stdout-xml wrote; those of persons are theirs.
func macProfiles(tree node) (names []string) {
	for _, p := range tree.at("_computerlevel").list() {
		if name := p.at("ProfileDisplayName").text(); name != "" && len(names) < maxProfiled {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// macFirewallProduct is the firewall for programs as a product, by what socketfilterfw
// answers.
func macFirewallProduct(state []byte) *constatv1.SecurityProduct {
	return &constatv1.SecurityProduct{Name: set("macOS Application Firewall"), Kind: set("firewall"), Enabled: macEnabled(state)}
}

// macClock tells how the clock is kept right, by launchd's job timed, systemsetup and
// /etc/ntp.conf; what was not answered is empty.
func macClock(job, wanted, servers []byte) *constatv1.Clock {
	c := &constatv1.Clock{Service: set("timed"), Enabled: macNetworkTime(wanted), Source: macTimeServer(servers)}
	if state := parseMacJob("com.apple.timed", job).GetState(); state == "running" || state == "stopped" {
		c.ServiceState = &state
	}
	return c
}

// macTimeServer is the server that the clock follows by /etc/ntp.conf.
func macTimeServer(content []byte) *string {
	for line := range strings.Lines(string(content)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "server" {
			return set(fields[1])
		}
	}
	return nil
}

// macNetworkTime reads systemsetup -getusingnetworktime: “Network Time: On”.
func macNetworkTime(content []byte) *bool {
	key, value := labelled(string(content[:min(len(content), 200)]))
	if key != "Network Time" || value != "On" && value != "Off" {
		return nil
	}
	return set(value == "On")
}
