package main

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"constat/collector/account"
	"constat/collector/bus"
	"constat/collector/desk"
	"constat/collector/intake"
	"constat/collector/store"
	"constat/internal/durable"
	"constat/internal/fault"
	"constat/internal/identity"
)

// core is what every command that works on the data needs, whether or not a
// server runs in this process.
type core struct {
	store     *store.Store
	bus       *bus.Bus
	desk      *desk.Desk
	accounts  *account.Accounts
	catalog   *fault.Catalog
	authority *identity.Authority
	// key opens what is sealed in the database.
	key *identity.SealingKey
}

// openCore opens the data, and makes the CA and its sealing key at the very
// first start.
func openCore(ctx context.Context, s *settings) (*core, error) {
	catalog, err := fault.Builtin()
	if err != nil {
		return nil, err
	}
	if err := becomeOwner(s.Data); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory can't be made: %w; choose another with --data", err)
	}
	st, err := store.Open(ctx, s.databaseURL())
	if err != nil {
		return nil, err
	}
	c := &core{store: st, catalog: catalog}
	if err := c.build(ctx, s); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *core) build(ctx context.Context, s *settings) error {
	authority, key, err := intake.OpenAuthority(ctx, c.store, s.keyFile(), time.Now())
	if err != nil {
		return err
	}
	c.authority, c.key = authority, key
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw})
	if err := durable.Write(s.caFile(), certificate, 0o644); err != nil {
		return err
	}
	if c.bus, err = openBus(ctx, s, c.store, key); err != nil {
		return err
	}
	c.accounts = account.New(c.store)
	c.desk = desk.New(c.store, c.bus, c.catalog)
	c.desk.SignWith(authority.SignKnowledge)
	return nil
}

func openBus(ctx context.Context, s *settings, st *store.Store, key *identity.SealingKey) (*bus.Bus, error) {
	switch {
	case s.NATS != "":
		return bus.Connect(s.NATS)
	case s.Cluster == "":
		return bus.Embedded(ctx, bus.Cluster{Peers: s.Peers})
	}
	secret, err := clusterSecret(ctx, st, key)
	if err != nil {
		return nil, err
	}
	return bus.Embedded(ctx, bus.Cluster{Listen: s.Cluster, Peers: s.Peers, Secret: secret})
}

// clusterSecret is what the collectors of one database know each other by. The
// first of them draws it.
func clusterSecret(ctx context.Context, st *store.Store, key *identity.SealingKey) (string, error) {
	const name = "clusterSecret"
	sealed, err := st.Setting(ctx, name)
	if errors.Is(err, store.ErrNoSetting) {
		mine, err := key.Seal(name, []byte(rand.Text()))
		if err != nil {
			return "", err
		}
		sealed, err = st.AddSetting(ctx, name, mine)
		if err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	text, err := key.Open(name, sealed)
	return string(text), err
}

func (c *core) close() error {
	if c.bus != nil {
		c.bus.Close()
	}
	return c.store.Close()
}
