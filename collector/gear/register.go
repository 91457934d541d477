package gear

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"constat/collector/store"
	"constat/collector/store/query"
	"constat/internal/fault"
	"constat/internal/identity"
	"constat/internal/snmp"
	deskv1 "constat/proto/constat/desk/v1"
)

// Refusal is an error that is the caller's to mend: its text says how.
type Refusal string

func (r Refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return Refusal(fmt.Sprintf(format, args...)) }

// Watch polls the organisation's gear, as one of any number of collectors that
// share a database. It is safe for use by many goroutines.
type Watch struct {
	store   *store.Store
	key     *identity.SealingKey
	catalog *fault.Catalog
	log     *slog.Logger
	// owner tells this collector's leases from others'.
	owner string
	now   func() time.Time
	// spread makes those that came together not come together for ever.
	spread func(time.Duration) time.Duration
	// within is how long each kind of poll may take.
	within  map[kind]time.Duration
	metrics *metrics
	// changes counts what this collector changed of which gear there is, and of its
	// addresses.
	changes atomic.Int64
}

// NewWatch makes a watch; key opens what is sealed in the database.
func NewWatch(s *store.Store, key *identity.SealingKey, c *fault.Catalog, log *slog.Logger) *Watch {
	return &Watch{
		store: s, key: key, catalog: c, log: log, owner: uuid.NewString(), now: time.Now, spread: jitter, metrics: newMetrics(),
		within: map[kind]time.Duration{status: maxStatus, counters: maxCounters, whole: maxPoll},
	}
}

// hostForm is an address of a device: a name or an IP address, with a port where
// it is not SNMP's.
var hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9._:-]{0,252}[a-z0-9])?$`)

func checkAddress(address string) (string, error) {
	address = strings.ToLower(strings.TrimSpace(address))
	host, port := address, ""
	if strings.Count(address, ":") == 1 || strings.HasPrefix(address, "[") {
		var err error
		if host, port, err = net.SplitHostPort(address); err != nil || port == "" {
			return "", refuse("%q is no address of a device: give HOST or HOST:PORT", address)
		}
	}
	if !hostForm.MatchString(host) {
		return "", refuse("%q is no address of a device: give HOST or HOST:PORT", address)
	}
	if ip := net.ParseIP(host); ip != nil && (ip.IsUnspecified() || ip.IsMulticast()) {
		return "", refuse("%s is no address of one device", host)
	}
	return address, nil
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// Add has a device polled from now on.
func (w *Watch) Add(ctx context.Context, address, credential, site string) error {
	address, err := checkAddress(address)
	if err != nil {
		return err
	}
	if len(site) > 100 || strings.ContainsFunc(site, func(r rune) bool { return r < ' ' || r == 0x7f }) || strings.ToValidUTF8(site, "") != site {
		return refuse("a site is a name of at most 100 letters")
	}
	defer w.changes.Add(1)
	return w.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if _, err := q.Credential(ctx, credential); errors.Is(err, sql.ErrNoRows) {
			return refuse("there is no credential %q: make it with `constat-collector gear credential set %s`", credential, credential)
		} else if err != nil {
			return err
		}
		site, err := store.Site(ctx, q, site)
		if two := (*store.BadSite)(nil); errors.As(err, &two) {
			return refuse("%s", two)
		} else if err != nil {
			return err
		}
		_, err = q.AddGear(ctx, query.AddGearParams{
			ID: uuid.Must(uuid.NewV7()).String(), Address: address, Site: site, Credential: credential, AddedAt: store.Millis(w.now()),
		})
		return err
	})
}

// Known tells whether a device of that address is polled.
func (w *Watch) Known(ctx context.Context, address string) (bool, error) {
	address, err := checkAddress(address)
	if err != nil {
		return false, err
	}
	rows, err := w.store.Read().GearByAddress(ctx, address)
	return len(rows) > 0, err
}

// Remove forgets a device, by its id, with all that it said.
func (w *Watch) Remove(ctx context.Context, id string) error {
	defer w.changes.Add(1)
	return w.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		if _, err := q.DropGear(ctx, id); err != nil {
			return err
		}
		if err := q.DropGearFacts(ctx, id); err != nil {
			return err
		}
		if err := q.DropGearAddresses(ctx, id); err != nil {
			return err
		}
		if err := q.DropGearIPs(ctx, id); err != nil {
			return err
		}
		if err := q.DropEvents(ctx, id); err != nil {
			return err
		}
		if err := q.DropStationAddresses(ctx, id, 1<<62); err != nil {
			return err
		}
		if err := store.DropSeries(ctx, q, id); err != nil {
			return err
		}
		return q.DropStations(ctx, id, 1<<62)
	})
}

// sealedName binds what is sealed to its name.
func sealedName(credential string) string { return "snmp credential " + credential }

// PutCredential keeps what opens devices, sealed, in place of what had that name;
// devices that use it are asked again at once.
func (w *Watch) PutCredential(ctx context.Context, c *deskv1.PutCredentialRequest) error {
	if !nameForm.MatchString(c.GetName()) {
		return refuse("a credential's name has small letters, digits, dots and hyphens, at most 64, not %q", c.GetName())
	}
	opens := credentials(c)
	if err := opens.Check(); err != nil {
		return refuse("%v", err)
	}
	version := "3"
	if opens.Community != "" {
		version = "2c"
	}
	content, err := proto.Marshal(c)
	if err != nil {
		return err
	}
	sealed, err := w.key.Seal(sealedName(c.GetName()), content)
	if err != nil {
		return err
	}
	return w.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		err := q.PutCredential(ctx, query.PutCredentialParams{Name: c.GetName(), Sealed: sealed, Version: version, ChangedAt: store.Millis(w.now())})
		if err != nil {
			return err
		}
		return q.RetryCredential(ctx, c.GetName())
	})
}

// RemoveCredential forgets a credential that no device uses.
func (w *Watch) RemoveCredential(ctx context.Context, name string) error {
	return w.store.Write(ctx, func(ctx context.Context, q *query.Queries) error {
		dropped, err := q.DropCredential(ctx, name)
		if err == nil && dropped == 0 {
			return refuse("there is no credential %q that no device uses", name)
		}
		return err
	})
}

// credential opens what is sealed under a name. A Refusal says that it has to be
// set again.
func (w *Watch) credential(ctx context.Context, name string) (snmp.Credentials, error) {
	row, err := w.store.Read().Credential(ctx, name)
	if errors.Is(err, sql.ErrNoRows) {
		return snmp.Credentials{}, refuse("the credential %q is gone: set it again", name)
	}
	if err != nil {
		return snmp.Credentials{}, err
	}
	content, err := w.key.Open(sealedName(name), row.Sealed)
	if err != nil {
		return snmp.Credentials{}, refuse("%v", err)
	}
	kept := &deskv1.PutCredentialRequest{}
	if err := proto.Unmarshal(content, kept); err != nil {
		return snmp.Credentials{}, refuse("the credential %q can't be read: set it again", name)
	}
	return credentials(kept), nil
}

func credentials(c *deskv1.PutCredentialRequest) snmp.Credentials {
	return snmp.Credentials{
		Community: c.GetCommunity(), User: c.GetUser(), Auth: c.GetAuth(), AuthPassword: c.GetAuthPassword(),
		Privacy: c.GetPrivacy(), PrivacyPassword: c.GetPrivacyPassword(), Context: c.GetContext(),
	}
}
