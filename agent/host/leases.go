package host

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// dhclientLease is a lease and the address that it is for.
type dhclientLease struct {
	*constatv1.Lease
	address string
}

// parseDhclientLeases reads dhclient.leases(5) and returns the last lease of
// each link. Comments and what is not needed are passed over.
func parseDhclientLeases(content []byte) map[string]dhclientLease {
	leases := map[string]dhclientLease{}
	lease, link := dhclientLease{&constatv1.Lease{}, ""}, ""
	for line := range strings.Lines(string(content)) {
		words := strings.FieldsFunc(line, func(c rune) bool { return strings.ContainsRune(" \t\n\r;,", c) })
		if len(words) == 0 {
			continue
		}
		if words[0] == "option" {
			words = words[1:]
		}
		switch {
		case len(words) == 0:
		case words[0] == "lease":
			lease, link = dhclientLease{&constatv1.Lease{}, ""}, ""
		case words[0] == "}" && link != "" && len(leases) < maxLeases:
			leases[link] = lease
		case len(words) < 2:
		case words[0] == "interface":
			link = strings.Trim(words[1], `"`)
		case words[0] == "fixed-address":
			lease.address = words[1]
		case words[0] == "dhcp-server-identifier":
			lease.Server = addressWord(words[1])
		case words[0] == "routers":
			lease.Routers = addressWords(words[1:])
		case words[0] == "domain-name-servers":
			lease.Resolvers = addressWords(words[1:])
		case words[0] == "expire":
			lease.ExpiresAt = dhclientTime(words[1:])
		}
	}
	return leases
}

// maxLeases is how many links have a lease at most; maxLeaseAddresses how many
// routers or resolvers are in one.
const (
	maxLeases         = 64
	maxLeaseAddresses = 16
)

// dhclientTime reads "2 2024/05/06 07:08:09" (UTC, behind the day of the week)
// or "epoch 1714979289"; nil for "never" and what is neither.
func dhclientTime(words []string) *timestamppb.Timestamp {
	if len(words) < 2 {
		return nil
	}
	if words[0] == "epoch" {
		return unixTime(words[1])
	}
	if len(words) < 3 {
		return nil
	}
	at, err := time.Parse("2006/01/02 15:04:05", words[1]+" "+words[2])
	if err != nil {
		return nil
	}
	return timestamppb.New(at)
}

// unixTime reads seconds since 1970; nil for what is none, or past the year 9999.
func unixTime(text string) *timestamppb.Timestamp {
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds <= 0 || seconds > 253402300799 {
		return nil
	}
	return &timestamppb.Timestamp{Seconds: seconds}
}

// parseNetworkdLease reads a lease of systemd-networkd, lines KEY=VALUE, whose
// lifetime counts from when the file was written.
func parseNetworkdLease(content []byte, written time.Time) *constatv1.Lease {
	values := parseAssignments(content)
	lease := &constatv1.Lease{
		Server: addressWord(values["SERVER_ADDRESS"]), Routers: addressWords(strings.Fields(values["ROUTER"])), Resolvers: addressWords(strings.Fields(values["DNS"])),
	}
	if seconds, err := strconv.ParseUint(values["LIFETIME"], 10, 32); err == nil && seconds < 1<<32-1 { // all ones: for ever
		lease.ExpiresAt = timestamppb.New(written.Add(time.Duration(seconds) * time.Second))
	}
	return lease
}

// leaseOf reads the options of DHCP as NetworkManager shows them: texts by name.
func leaseOf(options map[string]string) *constatv1.Lease {
	return &constatv1.Lease{
		Server: addressWord(options["dhcp_server_identifier"]), Routers: addressWords(strings.Fields(options["routers"])),
		Resolvers: addressWords(strings.Fields(options["domain_name_servers"])), ExpiresAt: unixTime(options["expiry"]),
	}
}

func addressWord(text string) *string {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return nil
	}
	return set(address.String())
}

func addressWords(words []string) (list []string) {
	for _, word := range words[:min(len(words), maxLeaseAddresses)] {
		if address := addressWord(word); address != nil {
			list = append(list, *address)
		}
	}
	return list
}
