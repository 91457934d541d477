package host

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	constatv1 "constat/proto/constat/v1"
)

// connectionBlob composes a value as Windows keeps it.
func connectionBlob(flags uint32, texts ...string) []byte {
	value := binary.LittleEndian.AppendUint32([]byte{0x46, 0, 0, 0, 7, 0, 0, 0}, flags)
	for _, text := range texts {
		value = append(binary.LittleEndian.AppendUint32(value, uint32(len(text))), text...)
	}
	return value
}

func TestConnectionSettings(t *testing.T) {
	for name, c := range map[string]struct {
		value []byte
		want  *constatv1.Proxy
	}{
		"nothing":          {connectionBlob(1, "", ""), nil},
		"asks the network": {connectionBlob(1|proxyDetect, "", "", ""), nil},
		"one for all": {connectionBlob(1|proxyManual, "http://ann:secret@proxy.example:3128", "<local>;*.example"), &constatv1.Proxy{
			Mode: set("manual"), Http: set("proxy.example:3128"), Https: set("proxy.example:3128"), Exceptions: []string{"<local>", "*.example"}, Source: set("winhttp"),
		}},
		"by protocol": {connectionBlob(1|proxyManual, "http=a:80;https=b:8080;ftp=c:21", ""), &constatv1.Proxy{
			Mode: set("manual"), Http: set("a:80"), Https: set("b:8080"), Source: set("winhttp"),
		}},
		"switched off": {connectionBlob(1, "proxy:3128", ""), nil},
		"a file": {connectionBlob(1|proxyPAC, "", "", "http://ann:secret@wpad.example/proxy.pac"), &constatv1.Proxy{
			Mode: set("pac"), PacUrl: set("http://wpad.example/proxy.pac"), Source: set("winhttp"),
		}},
	} {
		s, err := parseConnectionSettings(c.value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(c.want, s.proxyOf("winhttp"), protocmp.Transform()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	for _, cut := range [][]byte{nil, connectionBlob(3, "proxy")[:14+4]} {
		if _, err := parseConnectionSettings(cut); err == nil {
			t.Errorf("%x was understood", cut)
		}
	}
}

func FuzzConnectionSettings(f *testing.F) {
	f.Add(connectionBlob(1|proxyManual|proxyPAC, "http=a:80;b", "<local>", "http://x/y"))
	f.Fuzz(func(t *testing.T, value []byte) {
		if s, err := parseConnectionSettings(value); err == nil {
			if p := s.proxyOf("user"); p != nil && p.Mode == nil {
				t.Errorf("a proxy without a mode: %v", p)
			}
		}
	})
}

func TestWindowsFirewall(t *testing.T) {
	on, off := set(true), set(false)
	rules := []string{
		"v2.30|Action=Block|Active=TRUE|Dir=Out|Protocol=6|RPort=443|App=C:\\x.exe|Name=a|", "v2.30|Action=Block|Active=FALSE|Dir=Out|Name=b|",
		"v2.30|Action=Allow|Active=TRUE|Dir=Out|Name=c|", "v2.30|Action=Block|Active=TRUE|Dir=In|Name=d|",
	}
	for name, c := range map[string]struct {
		active []firewallProfile
		want   *constatv1.LocalFirewall
	}{
		"as it comes": {[]firewallProfile{{enabled: on}}, &constatv1.LocalFirewall{
			Kind: set("windows"), Enabled: on, OutgoingPolicy: set("accept"), IncomingPolicy: set("drop"), OutgoingBlocks: set(int32(1)),
		}},
		"shut": {[]firewallProfile{{enabled: off}, {on, on, off}}, &constatv1.LocalFirewall{
			Kind: set("windows"), Enabled: on, OutgoingPolicy: set("drop"), IncomingPolicy: set("accept"), OutgoingBlocks: set(int32(1)),
		}},
		"off": {[]firewallProfile{firewallProfile{enabled: off}.over(firewallProfile{enabled: on, blocksOut: on})}, &constatv1.LocalFirewall{
			Kind: set("windows"), Enabled: off, OutgoingPolicy: set("accept"), IncomingPolicy: set("accept"), OutgoingBlocks: set(int32(0)),
		}},
		"not told": {[]firewallProfile{{}}, &constatv1.LocalFirewall{Kind: set("windows"), OutgoingBlocks: set(int32(0))}},
	} {
		if d := cmp.Diff(c.want, windowsFirewall(c.active, rules), protocmp.Transform()); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
