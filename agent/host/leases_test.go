package host

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

const dhclientLeases = `# a comment
lease {
  interface "eth0";
  fixed-address 192.0.2.7;
  option routers 192.0.2.254;
  expire 1 2023/01/02 03:04:05;
}
lease {
  interface "eth0";
  fixed-address 192.0.2.5;
  option subnet-mask 255.255.255.0;
  option routers 192.0.2.1;
  option dhcp-server-identifier 192.0.2.2;
  option domain-name-servers 192.0.2.53,198.51.100.53;
  option host-name "ann; }";
  renew 1 2024/05/06 01:00:00;
  expire 1 2024/05/06 07:08:09;
}
lease {
  interface "wlan0";
  fixed-address 198.51.100.9;
  expire never;
}
lease {
  interface "cut";
`

const networkdLease = `# This is private data. Do not parse.
ADDRESS=192.0.2.5
NETMASK=255.255.255.0
ROUTER=192.0.2.1
SERVER_ADDRESS=192.0.2.2
LIFETIME=3600
DNS=192.0.2.53 198.51.100.53
`

// officeLease is what both tell, but for its end.
func officeLease(expires time.Time) *constatv1.Lease {
	return &constatv1.Lease{
		Server: set("192.0.2.2"), Routers: []string{"192.0.2.1"}, Resolvers: []string{"192.0.2.53", "198.51.100.53"}, ExpiresAt: timestamppb.New(expires),
	}
}

func TestLeases(t *testing.T) {
	all := parseDhclientLeases([]byte(dhclientLeases))
	if len(all) != 2 || all["eth0"].address != "192.0.2.5" || all["wlan0"].ExpiresAt != nil {
		t.Errorf("dhclient: %v", all)
	}
	if diff := cmp.Diff(officeLease(time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)), all["eth0"].Lease, protocmp.Transform()); diff != "" {
		t.Errorf("dhclient (-want +got):\n%s", diff)
	}
	written := time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
	if diff := cmp.Diff(officeLease(written.Add(time.Hour)), parseNetworkdLease([]byte(networkdLease), written), protocmp.Transform()); diff != "" {
		t.Errorf("systemd-networkd (-want +got):\n%s", diff)
	}
	if l := parseNetworkdLease([]byte("LIFETIME=4294967295\nROUTER=nobody\n"), written); l.ExpiresAt != nil || l.Routers != nil || l.Server != nil {
		t.Errorf("for ever, by nobody: %v", l)
	}
}

func FuzzLeases(f *testing.F) {
	f.Add(dhclientLeases)
	f.Add(networkdLease)
	f.Add("lease {\ninterface \"eth0\";\nexpire epoch 1714979289;\n}\n")
	f.Fuzz(func(t *testing.T, content string) {
		all := parseDhclientLeases([]byte(content))
		all[""] = dhclientLease{Lease: parseNetworkdLease([]byte(content), time.Unix(0, 0))}
		if len(all) > maxLeases+1 {
			t.Errorf("%d leases", len(all))
		}
		for _, l := range all {
			if len(l.Routers) > maxLeaseAddresses || len(l.Resolvers) > maxLeaseAddresses || l.ExpiresAt != nil && !l.ExpiresAt.IsValid() {
				t.Errorf("%v", l)
			}
		}
	})
}
