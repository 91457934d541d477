package bus_test

import (
	"strings"
	"testing"

	"constat/collector/bus"
	"constat/internal/lab"
)

func TestAlone(t *testing.T) {
	b, err := bus.Embedded(t.Context(), bus.Cluster{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	heard := make(chan string, 1)
	cancel, err := b.Subscribe("ticket.*.changed", func(subject string, data []byte) { heard <- subject + "=" + string(data) })
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Publish("ticket.7.changed", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "ticket.7.changed=x" {
		t.Errorf("heard %q", got)
	}
	cancel()
}

// A hint given to one collector reaches the subscribers of another.
func TestCluster(t *testing.T) {
	one, two := lab.FreeAddress(t, "tcp"), lab.FreeAddress(t, "tcp")
	a, err := bus.Embedded(t.Context(), bus.Cluster{Listen: one, Secret: "s"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := bus.Embedded(t.Context(), bus.Cluster{Listen: two, Peers: []string{one}, Secret: "s"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	heard := make(chan struct{}, 1)
	if _, err := b.Subscribe("endpoint.e1.command", func(string, []byte) {
		select {
		case heard <- struct{}{}:
		default:
		}
	}); err != nil {
		t.Fatal(err)
	}
	for {
		if err := a.Publish("endpoint.e1.command", nil); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
			return
		default: // the two have not met yet
		}
	}
}

func TestRefusals(t *testing.T) {
	for want, cluster := range map[string]bus.Cluster{
		"no address of its own": {Peers: []string{"127.0.0.1:1"}},
		"same secret":           {Listen: "127.0.0.1:1"},
		"give host:port":        {Listen: "127.0.0.1", Secret: "s"},
	} {
		b, err := bus.Embedded(t.Context(), cluster)
		if err == nil {
			b.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", cluster, err)
		}
	}
}
