package main

import (
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"constat/internal/config"
	constatv1 "constat/proto/constat/v1"
)

// options are the flags every command has.
type options struct {
	configFile string
}

// settings is the collector's configuration file. The `doc` tags are what
// `config print --defaults` writes beside each key.
type settings struct {
	Data           string   `yaml:"data" doc:"directory of the embedded database, the CA's certificate and the key file"`
	GRPC           string   `yaml:"grpc" doc:"address for agents and the command line, always TLS"`
	HTTP           string   `yaml:"http" doc:"address of the console; TLS unless it is loopback"`
	Database       string   `yaml:"database" doc:"postgres://… for a shared database; empty: SQLite under data"`
	NATS           string   `yaml:"nats" doc:"outside NATS server, nats://…; empty: the embedded one"`
	Cluster        string   `yaml:"cluster" doc:"address for other collectors' embedded NATS servers; empty: this collector is alone"`
	Peers          []string `yaml:"peers" doc:"cluster addresses of other collectors"`
	KeyFile        string   `yaml:"keyFile" doc:"key that seals secrets in the database; empty: sealing.key under data"`
	Names          []string `yaml:"names" doc:"names and addresses under which agents reach this collector; empty: this host's"`
	URL            string   `yaml:"url" doc:"address of the console as people type it; empty: made from http"`
	TLSCertificate string   `yaml:"tlsCertificate" doc:"PEM certificate of the console; empty: one by the collector's own CA"`
	TLSKey         string   `yaml:"tlsKey" doc:"PEM key of that certificate"`
	Traps          string   `yaml:"traps" doc:"address for SNMP traps and informs of the gear that is polled, like :162; empty: none are taken"`
	Syslog         string   `yaml:"syslog" doc:"address for syslog of the gear that is polled, UDP and TCP, like :514; empty: none is taken"`
	SyslogTLS      string   `yaml:"syslogTls" doc:"address for the same over TLS, with the console's certificate, like :6514; empty: none is taken"`
	QuietHours     string   `yaml:"quietHours" doc:"when agents begin nothing that nobody asked for, in their own time, like 22:00-06:00; empty: never"`
	LooksPerDay    int      `yaml:"looksPerDay" doc:"how often a day an agent may look for a cause without being asked; 0: its own limit, 12"`
	Phone          string   `yaml:"phone" doc:"telephone number of the help desk, for people whose ticket has to wait for the network"`
	LooksOff       []string `yaml:"looksOff" doc:"events after which agents look for nothing, such as linkFlaps or daily"`
}

func defaults() settings {
	return settings{Data: "/var/lib/constat-collector", GRPC: "127.0.0.1:7400", HTTP: "127.0.0.1:7480"}
}

// load reads the settings for a command.
func (o *options) load(cmd *cobra.Command) (*settings, error) {
	s := defaults()
	if err := config.Load(&s, o.file(cmd), os.LookupEnv, cmd.Flags()); err != nil {
		return nil, err
	}
	for key, address := range map[string]string{"grpc": s.GRPC, "http": s.HTTP} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("%s: %q is not an address like 127.0.0.1:7400 or :7400", key, address)
		}
	}
	for key, address := range map[string]string{"traps": s.Traps, "syslog": s.Syslog, "syslogTls": s.SyslogTLS} {
		if _, _, err := net.SplitHostPort(address); address != "" && err != nil {
			return nil, fmt.Errorf("%s: %q is not an address like :162 or 192.0.2.1:162", key, address)
		}
	}
	if s.LooksPerDay < 0 {
		return nil, fmt.Errorf("looksPerDay: %d is less than none", s.LooksPerDay)
	}
	if s.QuietHours != "" && !quietHours.MatchString(s.QuietHours) {
		return nil, fmt.Errorf("quietHours: %q is not like 22:00-06:00", s.QuietHours)
	}
	if (s.TLSCertificate == "") != (s.TLSKey == "") {
		return nil, fmt.Errorf("tlsCertificate and tlsKey belong together: give both or neither")
	}
	return &s, nil
}

// quietHours is a time of the day and another one.
var quietHours = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$`)

// policy is what agents are told. Its revision is another one whenever it says
// something else, also nothing any more.
func (s *settings) policy() *constatv1.Policy {
	p := &constatv1.Policy{Phone: s.Phone, Triggers: &constatv1.TriggerPolicy{Quiet: s.QuietHours, PerDay: int32(s.LooksPerDay), Off: s.LooksOff}}
	p.Revision = fmt.Sprintf("%x", sha256.Sum256([]byte(fmt.Sprint(s.QuietHours, s.LooksPerDay, s.LooksOff, s.Phone))))[:16]
	return p
}

// file is the configuration file to read.
func (o *options) file(cmd *cobra.Command) string {
	return config.File(o.configFile, "/etc/constat-collector/collector.yaml", cmd.Flags())
}

// databaseURL is the database in use.
func (s *settings) databaseURL() string {
	if s.Database != "" {
		return s.Database
	}
	return "sqlite:" + filepath.Join(s.Data, "constat.db")
}

func (s *settings) keyFile() string {
	if s.KeyFile != "" {
		return s.KeyFile
	}
	return filepath.Join(s.Data, "sealing.key")
}

// caFile is the CA's certificate, for people and the command line; nothing in
// it is secret.
func (s *settings) caFile() string { return filepath.Join(s.Data, "ca.pem") }

// names are what the collector's certificate is for: this machine's own commands
// reach it by the first ones, whatever others call it.
func (s *settings) names() []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if len(s.Names) > 0 {
		return append(names, s.Names...)
	}
	if host, err := os.Hostname(); err == nil && host != "localhost" {
		names = append(names, host)
	}
	if host, _, err := net.SplitHostPort(s.GRPC); err == nil {
		if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() && !ip.IsLoopback() {
			names = append(names, host)
		}
	}
	return names
}

// reached is where agents reach this collector, host:port: what was said, or
// what the configuration makes of it.
func (s *settings) reached(said string) (string, error) {
	if said != "" {
		if host, _, err := net.SplitHostPort(said); err != nil || host == "" {
			return "", fmt.Errorf("--collector: %q is not like collector.example.org:7400", said)
		}
		return said, nil
	}
	host, port, err := net.SplitHostPort(s.GRPC)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return "", fmt.Errorf("agents of other machines can't reach %s: set grpc to :%s in the configuration, or name the collector's address with --collector", s.GRPC, port)
	} else if host != "" && !(ip != nil && ip.IsUnspecified()) {
		return s.GRPC, nil
	}
	if len(s.Names) > 0 {
		return net.JoinHostPort(s.Names[0], port), nil
	}
	if host, err = os.Hostname(); err != nil {
		return "", fmt.Errorf("%w; name the collector's address with --collector", err)
	}
	return net.JoinHostPort(host, port), nil
}

// dataFlags are the settings that every command working on the data needs.
func dataFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	d := defaults()
	f.String("data", d.Data, "`DIR` of the embedded database and the keys")
	f.String("database", "", "shared database, postgres://… (default: SQLite under --data)")
	f.String("key-file", "", "`FILE` with the key that seals secrets (default: sealing.key under --data)")
}

func serveFlags(cmd *cobra.Command) {
	dataFlags(cmd)
	f := cmd.Flags()
	d := defaults()
	f.String("grpc", d.GRPC, "`ADDRESS` for agents and the command line")
	f.String("http", d.HTTP, "`ADDRESS` of the console")
	f.String("nats", "", "outside NATS server, nats://… (default: the embedded one)")
	f.String("cluster", "", "`ADDRESS` for other collectors' embedded NATS servers")
	f.StringSlice("peers", nil, "cluster addresses of other collectors, `HOST:PORT`")
	f.StringSlice("names", nil, "names and addresses under which agents reach this collector")
	f.String("url", "", "address of the console as people type it")
	f.String("tls-certificate", "", "PEM `FILE` with the console's certificate")
	f.String("tls-key", "", "PEM `FILE` with its key")
	f.String("traps", "", "`ADDRESS` for SNMP traps and informs of the gear that is polled (default: none are taken)")
	f.String("syslog", "", "`ADDRESS` for syslog of the gear that is polled, UDP and TCP (default: none is taken)")
	f.String("syslog-tls", "", "`ADDRESS` for the same over TLS (default: none is taken)")
}

func configCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the configuration",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var withDefaults bool
	show := &cobra.Command{
		Use:   "print",
		Short: "Print a configuration file with every key, its default and what it is for",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !withDefaults {
				return fmt.Errorf("say which: config print --defaults")
			}
			fmt.Fprint(cmd.OutOrStdout(), defaultsFile())
			return nil
		},
	}
	show.Flags().BoolVar(&withDefaults, "defaults", false, "the defaults, as a file to start from")
	check := &cobra.Command{
		Use:   "check",
		Short: "Say whether this version understands the configuration, and its ports are free",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := o.load(cmd)
			if err != nil {
				return err
			}
			if err := freePorts(cmd.Context(), s); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "the configuration is understood, and its ports are free")
			return nil
		},
	}
	cmd.AddCommand(show, check)
	return cmd
}

// defaultsFile writes the defaults as YAML from the settings' own tags, so that
// it can't go stale.
func defaultsFile() string {
	var b strings.Builder
	b.WriteString("# Every key can also be given as CONSTAT_KEY in the environment or as --key.\n")
	v := reflect.ValueOf(defaults())
	for i := range v.NumField() {
		f := v.Type().Field(i)
		value := `""`
		switch {
		case f.Type.Kind() == reflect.Slice:
			value = "[]"
		case f.Type.Kind() == reflect.Int:
			value = fmt.Sprint(v.Field(i).Int())
		case v.Field(i).String() != "":
			value = v.Field(i).String()
		}
		fmt.Fprintf(&b, "\n# %s\n%s: %s\n", f.Tag.Get("doc"), f.Tag.Get("yaml"), value)
	}
	return b.String()
}
