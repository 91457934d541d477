package main

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"constat/agent/local"
	"constat/internal/config"
	constatv1 "constat/proto/constat/v1"
)

// options are the flags every command has.
type options struct {
	configFile string
	language   string
}

// settings is the agent's configuration file; see internal/config for how
// flags and the environment override it.
type settings struct {
	// Data is the directory of the agent's identity and its spool.
	Data string `yaml:"data"`
	// Collector is where to enrol, host:port.
	Collector string `yaml:"collector"`
	// TokenFile holds the enrolment token; the agent enrols with it at its
	// first start.
	TokenFile string `yaml:"tokenFile"`
	// Proxy is the HTTP proxy on the way to the collector, as a URL, or "direct";
	// empty: HTTPS_PROXY and NO_PROXY decide.
	Proxy string `yaml:"proxy"`
	// Probes names what is probed. Nothing named: public defaults, or the
	// organisation's policy.
	Probes *probes `yaml:"probes"`

	// woken hears of it when the computer is used again; nil: nobody tells.
	woken chan struct{}
}

// load reads the settings for a command.
func (o *options) load(cmd *cobra.Command) (*settings, error) {
	if runtime.GOOS != "linux" { // there systemd does it
		if err := takeEnrolment(filepath.Join(local.SystemData, enrolmentFile)); err != nil {
			return nil, err
		}
	}
	s := &settings{Data: local.SystemData}
	file := config.File(o.configFile, local.SystemConfig, cmd.Flags())
	if err := config.Load(s, file, prescribed, cmd.Flags()); err != nil {
		return nil, err
	}
	if s.Probes != nil {
		if err := s.Probes.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return s, nil
}

// probes is the ProbePolicy as people write it: where only an address is
// given, a plain string will do.
type probes struct {
	Names    []probeName    `yaml:"names"`
	TCP      []string       `yaml:"tcp"`
	HTTP     *probeHTTP     `yaml:"http"`
	TLS      []probeTLS     `yaml:"tls"`
	Services []probeService `yaml:"services"`
}

type probeName struct {
	Host   string   `yaml:"host"`
	Expect []string `yaml:"expect"`
}

type probeHTTP struct {
	URL    string `yaml:"url"`
	Status int32  `yaml:"status"`
	Body   string `yaml:"body"`
}

type probeTLS struct {
	Address string `yaml:"address"`
	Issuer  string `yaml:"issuer"`
}

type probeService struct {
	Name string `yaml:"name"`
	URL  string `yaml:"url"`
	TCP  string `yaml:"tcp"`
	VPN  string `yaml:"vpn"`
	Mail string `yaml:"mail"`
}

func (p *probeName) UnmarshalYAML(decode func(any) error) error {
	if decode(&p.Host) == nil {
		return nil
	}
	type plain probeName
	return decode((*plain)(p))
}

func (p *probeHTTP) UnmarshalYAML(decode func(any) error) error {
	if decode(&p.URL) == nil {
		return nil
	}
	type plain probeHTTP
	return decode((*plain)(p))
}

func (p *probeTLS) UnmarshalYAML(decode func(any) error) error {
	if decode(&p.Address) == nil {
		return nil
	}
	type plain probeTLS
	return decode((*plain)(p))
}

func (p *probeService) UnmarshalYAML(decode func(any) error) error {
	if decode(&p.URL) == nil {
		p.Name = p.URL
		return nil
	}
	type plain probeService
	return decode((*plain)(p))
}

// check says what is wrong with a target before anything is probed.
func (p *probes) check() error {
	for i, n := range p.Names {
		if n.Host == "" {
			return fmt.Errorf("probes.names[%d]: a host is missing", i)
		}
		for _, e := range n.Expect {
			if _, err := netip.ParsePrefix(e); err != nil {
				return fmt.Errorf("probes.names[%d].expect: %q is not a prefix like 192.0.2.0/24", i, e)
			}
		}
	}
	for i, t := range p.TCP {
		if _, err := netip.ParseAddrPort(t); err != nil {
			return fmt.Errorf("probes.tcp[%d]: %q is not an address with a port like 192.0.2.1:443; a name would need DNS, which this probe is there to do without", i, t)
		}
	}
	if p.HTTP != nil {
		if u, err := url.Parse(p.HTTP.URL); err != nil || u.Scheme != "http" || u.Host == "" {
			return fmt.Errorf("probes.http.url: %q is not an http:// address; this probe finds captive portals, which can't touch https", p.HTTP.URL)
		}
	}
	for i, t := range p.TLS {
		if _, _, err := net.SplitHostPort(t.Address); err != nil {
			return fmt.Errorf("probes.tls[%d]: %q is not host:port", i, t.Address)
		}
	}
	for i, s := range p.Services {
		given := 0
		for _, target := range []string{s.URL, s.TCP, s.VPN, s.Mail} {
			if target != "" {
				given++
			}
		}
		if s.Name == "" || given != 1 {
			return fmt.Errorf("probes.services[%d]: needs a name and exactly one of url, tcp, vpn and mail", i)
		}
	}
	return nil
}

// policy is what host understands; nil stays nil.
func (p *probes) policy() *constatv1.ProbePolicy {
	if p == nil {
		return nil
	}
	out := &constatv1.ProbePolicy{Tcp: p.TCP}
	for _, n := range p.Names {
		out.Names = append(out.Names, &constatv1.ProbeName{Host: n.Host, Expect: n.Expect})
	}
	if p.HTTP != nil {
		out.Http = &constatv1.ProbeHttp{Url: p.HTTP.URL, Status: p.HTTP.Status, Body: p.HTTP.Body}
	}
	for _, t := range p.TLS {
		out.Tls = append(out.Tls, &constatv1.ProbeTls{Address: t.Address, Issuer: t.Issuer})
	}
	for _, s := range p.Services {
		out.Services = append(out.Services, &constatv1.ProbeService{Name: s.Name, Url: s.URL, Tcp: s.TCP, Vpn: s.VPN, Mail: s.Mail})
	}
	return out
}
