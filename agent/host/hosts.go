package host

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// maxHosts is how many entries of the hosts file a snapshot keeps: block lists
// with a hundred thousand names exist, and prove nothing one by one.
const maxHosts = 256

// ownNames are the names that systems put into the hosts file themselves
// (Debian, Fedora, macOS, Windows).
var ownNames = map[string]bool{
	"localhost": true, "localhost.localdomain": true,
	"localhost4": true, "localhost4.localdomain4": true,
	"localhost6": true, "localhost6.localdomain6": true,
	"ip6-localhost": true, "ip6-loopback": true, "ip6-localnet": true,
	"ip6-mcastprefix": true, "ip6-allnodes": true, "ip6-allrouters": true, "ip6-allhosts": true,
	"broadcasthost": true,
}

// parseHosts reads hosts(5) and returns the entries beyond the system's own,
// sorted by name, then line. A name of the machine on a loopback address is the
// system's own too. err tells how many entries did not fit.
func parseHosts(content []byte, hostnames ...string) (entries []*constatv1.HostsEntry, err error) {
	lines := bufio.NewScanner(bytes.NewReader(content))
	for number := int32(1); lines.Scan(); number++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) < 2 {
			continue
		}
		address, err := netip.ParseAddr(words[0])
		if err != nil {
			continue
		}
		for _, name := range words[1:] {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			if name == "" || ownNames[name] || address.IsLoopback() && isHost(name, hostnames) {
				continue
			}
			entries = append(entries, &constatv1.HostsEntry{
				Name: set(name), Address: set(address.String()), Line: set(number),
			})
		}
	}
	slices.SortStableFunc(entries, func(a, b *constatv1.HostsEntry) int {
		return cmp.Or(strings.Compare(a.GetName(), b.GetName()), cmp.Compare(a.GetLine(), b.GetLine()))
	})
	if over := len(entries) - maxHosts; over > 0 {
		return entries[:maxHosts], fmt.Errorf("%d more entries are left out of the snapshot", over)
	}
	return entries, lines.Err()
}

// isHost tells whether name is one of the machine's, with or without a domain.
func isHost(name string, hostnames []string) bool {
	label, _, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(hostnames, func(hostname string) bool {
		own, _, _ := strings.Cut(strings.ToLower(hostname), ".")
		return own != "" && label == own
	})
}
