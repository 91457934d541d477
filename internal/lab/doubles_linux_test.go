package lab

// doubles are pairs of faults that have nothing to do with each other, and that
// both show: the one does not hide what proves the other, as a dead name server
// hides a site's certificate.
var doubles = [][2]string{
	{"net-proxy-unreachable", "net-ipv6-broken"},
	{"net-proxy-unreachable", "net-hosts-override"},
	{"net-proxy-unreachable", "net-service-cert-invalid"},
	{"net-dns-slow", "net-ipv6-broken"},
	{"net-dns-unreachable", "net-ipv6-broken"},
	{"net-dns-no-server", "net-ipv6-broken"},
	{"net-dns-wrong-answers", "net-ipv6-broken"},
	{"net-service-down", "net-ipv6-broken"},
	{"net-service-down", "net-ncsi-probe-blocked"},
	{"net-service-down", "net-hosts-override"},
	{"net-service-cert-invalid", "net-ipv6-broken"},
	{"net-service-cert-invalid", "net-ncsi-probe-blocked"},
	{"net-service-cert-invalid", "net-hosts-override"},
	{"net-hosts-override", "net-ipv6-broken"},
	{"net-hosts-override", "net-ncsi-probe-blocked"},
	{"net-ncsi-probe-blocked", "net-ipv6-broken"},
	{"net-clock-skew-tls", "net-ipv6-broken"},
	{"net-tls-interception-untrusted", "net-ipv6-broken"},
	{"net-vpn-gateway-unreachable", "net-service-down"},
	{"net-vpn-gateway-unreachable", "net-ipv6-broken"},
	{"net-vpn-gateway-unreachable", "net-service-cert-invalid"},
	{"net-vpn-gateway-unreachable", "net-hosts-override"},
	{"net-vpn-gateway-unreachable", "net-ncsi-probe-blocked"},
	{"net-vpn-gateway-unreachable", "net-proxy-unreachable"},
	{"net-service-down", "net-service-cert-invalid"},
	{"net-ip-conflict", "net-ncsi-probe-blocked"},
	{"net-ip-conflict", "net-service-cert-invalid"},
	{"net-ip-conflict", "net-hosts-override"},
	{"net-ip-conflict", "net-dns-no-server"},
}
