package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// desk is the API of the collector, with the token, as technicians' tools use it.
func (c *cable) desk() (context.Context, deskv1.DeskServiceClient) {
	c.t.Helper()
	pem, err := os.ReadFile(c.path("collector/ca.pem"))
	if err != nil {
		c.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conn, err := grpc.NewClient("passthrough:///"+collectorAddress, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots})),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return c.Dial(PC, "tcp", collectorAddress) }))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	return metadata.AppendToOutgoingContext(c.t.Context(), "authorization", "Bearer "+c.token), deskv1.NewDeskServiceClient(conn)
}

// answers waits for the ticket's diagnosis by the desk's own command.
func (c *cable) answers(number int32) *constatv1.Diagnosis {
	c.t.Helper()
	ctx, desk := c.desk()
	var found []*constatv1.Diagnosis
	c.Await("the machine's answer", func() error {
		ticket, err := desk.GetTicket(ctx, &deskv1.GetTicketRequest{Number: number})
		found = nil
		for _, entry := range ticket.GetTimeline() {
			if d := entry.GetDiagnosis(); d.GetTrigger() == "command" {
				found = append(found, d)
			}
		}
		if err == nil && len(found) == 0 {
			err = errors.New("none yet")
		}
		return err
	})
	if len(found) != 1 {
		c.t.Errorf("the machine answered %d times", len(found))
	}
	return found[0]
}

// TestLabDeskAsks: a ticket that comes by telephone has its machine asked, and a
// trouble of two machines has their neighbour asked, at once and once, by real agents
// and a real collector.
func TestLabDeskAsks(t *testing.T) {
	if os.Getenv("CONSTAT_LAB") == "" {
		t.Skip("runs with make lab")
	}
	c := newCable(t)
	c.starts()
	c.enrolled(PC)
	c.hears(PC)
	mine := c.complains(PC, "")
	c.stopNames()
	t.Cleanup(c.serveNames)
	c.colleagues(2) // who complain, both
	d := c.answers(int32(mine.number))
	if d.GetProcedure() != "internet" || len(d.GetRootCauses()) == 0 || d.GetRootCauses()[0].GetFault() != "net-dns-unreachable" {
		t.Errorf("the neighbour answered %v", d)
	}

	ctx, desk := c.desk()
	machines, err := desk.ListEndpoints(ctx, &deskv1.ListEndpointsRequest{Query: "desk1"})
	if err != nil || len(machines.GetEndpoints()) != 1 {
		t.Fatalf("%v: %v", err, machines)
	}
	called, err := desk.CreateTicket(ctx, &deskv1.CreateTicketRequest{EndpointId: machines.GetEndpoints()[0].GetId(), Draft: &constatv1.TicketDraft{
		Id: "01935f3e-7a7a-7000-8000-000000000001", Complaint: "slow", Text: "It is so slow.", Requester: &constatv1.Person{Name: "Claire"}, Channel: "phone",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if d := c.answers(called.GetTicket().GetNumber()); d.GetProcedure() != "slow" {
		t.Errorf("for a ticket by telephone the machine ran %q", d.GetProcedure())
	}
}
