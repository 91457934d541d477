package api_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"constat/collector/account"
	"constat/collector/api"
	"constat/collector/bus"
	"constat/collector/courier"
	"constat/collector/desk"
	"constat/collector/gear"
	"constat/collector/store"
	"constat/collector/store/storetest"
	"constat/internal/fault"
	"constat/internal/identity"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// serve runs the service on loopback, and gives a client and a technician's and a
// lead's context.
func serve(t *testing.T) (client deskv1.DeskServiceClient, d *desk.Desk, technician, lead context.Context) {
	t.Helper()
	conn, d, technician, lead := connect(t)
	return deskv1.NewDeskServiceClient(conn), d, technician, lead
}

func connect(t *testing.T) (conn *grpc.ClientConn, d *desk.Desk, technician, lead context.Context) {
	t.Helper()
	h := open(t)
	return h.conn, h.desk, h.as("technician"), h.as("lead")
}

// house is the service and what is behind it.
type house struct {
	t        *testing.T
	conn     *grpc.ClientConn
	server   *grpc.Server
	desk     *desk.Desk
	store    *store.Store
	accounts *account.Accounts
}

// as gives the context of a new user of a role, limited to sites.
func (h *house) as(role string, sites ...string) context.Context {
	h.t.Helper()
	user, err := h.accounts.Create(h.t.Context(), strings.TrimSpace(role+"'s name "+strings.Join(sites, " ")), "", role, "", sites...)
	if err != nil {
		h.t.Fatal(err)
	}
	token, err := h.accounts.NewToken(h.t.Context(), user.ID, "", 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return metadata.AppendToOutgoingContext(h.t.Context(), "authorization", "Bearer "+token)
}

func open(t *testing.T) *house {
	t.Helper()
	s := storetest.SQLite(t)
	b, err := bus.Embedded(t.Context(), bus.Cluster{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	accounts := account.New(s)
	key, err := identity.NewKeyFile(filepath.Join(t.TempDir(), "sealing.key"))
	if err != nil {
		t.Fatal(err)
	}
	d := desk.New(s, b, catalog)
	service := api.New(d, accounts, gear.NewWatch(s, key, catalog, slog.Default()), courier.New(s, b, d, key, catalog, "", slog.Default()))
	server := grpc.NewServer()
	service.Register(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &house{t, conn, server, d, s, accounts}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func TestWhoMayCall(t *testing.T) {
	client, _, technician, _ := serve(t)
	for header, want := range map[string]string{
		"": "constat-collector user token", "Basic eA==": "not of the form", "Bearer ": "not of the form", "Bearer wrong": "not valid",
	} {
		ctx := t.Context()
		if header != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", header)
		}
		_, err := client.ListTickets(ctx, &deskv1.ListTicketsRequest{})
		if status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", header, err)
		}
		stream, err := client.Diagnose(ctx, &deskv1.DiagnoseRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%q on a stream: %v", header, err)
		}
	}
	if _, err := client.ListTickets(technician, &deskv1.ListTicketsRequest{}); err != nil {
		t.Error(err)
	}
	// A stranger's message is not even read: one that is far too large is refused
	// for want of a token.
	huge := &deskv1.ListTicketsRequest{Query: strings.Repeat("x", 100<<20)}
	if _, err := client.ListTickets(t.Context(), huge); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a stranger's 100 MB: %v", err)
	}
	if _, err := client.ListTickets(technician, huge); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a technician's 100 MB: %v", err)
	}
}

func TestCalls(t *testing.T) {
	client, d, technician, lead := serve(t)
	if err := d.NewEnrolmentToken(t.Context(), []byte("t"), 1, time.Now().Add(time.Hour), ""); err != nil {
		t.Fatal(err)
	}
	pc, err := d.Enroll(t.Context(), []byte("t"), &constatv1.EnrollRequest{Hostname: "pc-1"},
		func(string) (string, time.Time, error) { return "01", time.Now().Add(time.Hour), nil })
	if err != nil {
		t.Fatal(err)
	}
	created, err := client.CreateTicket(technician, &deskv1.CreateTicketRequest{
		EndpointId: pc, Draft: &constatv1.TicketDraft{Id: newID(), Text: "It beeps", Channel: "agent"},
	})
	if err != nil || created.Ticket.Channel != "api" || created.Ticket.Title != "It beeps" || created.Ticket.Requester.Name != "technician's name" {
		t.Fatalf("created %v (%v)", created, err)
	}
	ticket := created.Ticket
	if _, err := client.AddEntry(technician, &deskv1.AddEntryRequest{Number: 1, Id: newID(), Kind: "note", Text: "three times"}); err != nil {
		t.Error(err)
	}
	updated, err := client.UpdateTicket(technician, &deskv1.UpdateTicketRequest{Number: 1, Version: ticket.Version, Urgency: proto.String("high")})
	if err != nil || updated.Ticket.Urgency != "high" {
		t.Errorf("updated %v (%v)", updated, err)
	}
	got, err := client.GetTicket(technician, &deskv1.GetTicketRequest{Number: 1})
	if err != nil || len(got.Timeline) != 4 {
		t.Errorf("got %v (%v)", got, err)
	}
	endpoints, err := client.ListEndpoints(technician, &deskv1.ListEndpointsRequest{Query: "pc"})
	if err != nil || len(endpoints.Endpoints) != 1 {
		t.Errorf("endpoints %v (%v)", endpoints, err)
	}
	if e, err := client.GetEndpoint(technician, &deskv1.GetEndpointRequest{Id: "pc-1"}); err != nil || e.Endpoint.Id != pc {
		t.Errorf("endpoint %v (%v)", e, err)
	}
	stream, err := client.Diagnose(technician, &deskv1.DiagnoseRequest{Ticket: 1, Procedure: "full"})
	if err != nil {
		t.Fatal(err)
	}
	if event, err := stream.Recv(); err != nil || event.GetWaitingUntil() == nil {
		t.Errorf("diagnosing an endpoint that is offline: %v (%v)", event, err)
	}

	if _, err := client.CreateTicket(technician, &deskv1.CreateTicketRequest{Draft: &constatv1.TicketDraft{Id: newID(), Text: "Still"}}); err != nil {
		t.Fatal(err)
	}
	merged, err := client.MergeTicket(technician, &deskv1.MergeTicketRequest{Number: 2, Version: 1, Into: 1})
	if err != nil || merged.Ticket.Number != 1 {
		t.Errorf("merged %v (%v)", merged, err)
	}
	_, errSelf := client.MergeTicket(technician, &deskv1.MergeTicketRequest{Number: 1, Into: 1})
	_, errConflict := client.UpdateTicket(technician, &deskv1.UpdateTicketRequest{Number: 1, Version: ticket.Version, Urgency: proto.String("low")})
	_, errMissing := client.GetTicket(technician, &deskv1.GetTicketRequest{Number: 7})
	_, errSnapshot := client.GetSnapshot(technician, &deskv1.GetSnapshotRequest{Id: newID()})
	_, errInvalid := client.CreateTicket(technician, &deskv1.CreateTicketRequest{})
	_, errRole := client.RevokeEndpoint(technician, &deskv1.RevokeEndpointRequest{EndpointId: pc})
	_, errNone := client.RevokeEndpoint(lead, &deskv1.RevokeEndpointRequest{EndpointId: pc, Reason: "lost"})
	for _, answer := range []struct {
		err  error
		code codes.Code
	}{
		{errConflict, codes.Aborted}, {errSelf, codes.InvalidArgument}, {errMissing, codes.NotFound}, {errSnapshot, codes.NotFound},
		{errInvalid, codes.InvalidArgument}, {errRole, codes.PermissionDenied}, {errNone, codes.OK},
	} {
		if status.Code(answer.err) != answer.code {
			t.Errorf("%v, want %s", answer.err, answer.code)
		}
	}
}

// Who may say what is polled, and that a secret never comes back.
func TestGearCalls(t *testing.T) {
	conn, _, technician, lead := connect(t)
	client := deskv1.NewGearServiceClient(conn)
	secret := "a canary community"
	put := &deskv1.PutCredentialRequest{Name: "floors", Community: secret}
	_, errRole := client.PutCredential(technician, put)
	_, errUnknown := client.AddGear(lead, &deskv1.AddGearRequest{Address: "192.0.2.10", Credential: "floors"})
	_, errNeither := client.PutCredential(lead, &deskv1.PutCredentialRequest{Name: "floors"})
	_, errName := client.PutCredential(lead, &deskv1.PutCredentialRequest{Name: "../x", Community: "y"})
	_, errPut := client.PutCredential(lead, put)
	_, errAddress := client.AddGear(lead, &deskv1.AddGearRequest{Address: "not an address", Credential: "floors"})
	added, errAdd := client.AddGear(lead, &deskv1.AddGearRequest{Address: "SW-1.example.org", Credential: "floors", Site: "Lyon"})
	_, errInUse := client.RemoveCredential(lead, &deskv1.RemoveCredentialRequest{Name: "floors"})
	_, errNobody := client.ListGear(t.Context(), &deskv1.ListGearRequest{})
	_, errMissing := client.GetGear(technician, &deskv1.GetGearRequest{Id: "sw-2"})
	_, errHost := client.FindStation(technician, &deskv1.FindStationRequest{Query: "pc-1"})
	for i, answer := range []struct {
		err  error
		code codes.Code
	}{
		{errRole, codes.PermissionDenied}, {errUnknown, codes.InvalidArgument}, {errNeither, codes.InvalidArgument}, {errName, codes.InvalidArgument},
		{errPut, codes.OK}, {errAddress, codes.InvalidArgument}, {errAdd, codes.OK}, {errInUse, codes.InvalidArgument},
		{errNobody, codes.Unauthenticated}, {errMissing, codes.NotFound}, {errHost, codes.NotFound},
	} {
		if status.Code(answer.err) != answer.code {
			t.Errorf("%d: %v, want %s", i, answer.err, answer.code)
		}
	}
	if d := added.GetDevice(); d.GetAddress() != "sw-1.example.org" || d.GetState() != "new" || d.GetSite() != "Lyon" {
		t.Errorf("added %v", d)
	}
	list, err := client.ListGear(technician, &deskv1.ListGearRequest{})
	kept, errKept := client.ListCredentials(technician, &deskv1.ListCredentialsRequest{})
	if err != nil || errKept != nil || len(list.GetDevices()) != 1 || len(kept.GetCredentials()) != 1 || kept.GetCredentials()[0].GetDevices() != 1 {
		t.Errorf("%v, %v (%v, %v)", list, kept, err, errKept)
	}
	if strings.Contains(list.String()+kept.String(), secret) {
		t.Error("the community came back")
	}
	if _, err := client.RemoveGear(lead, &deskv1.RemoveGearRequest{Id: "SW-1.example.org"}); err != nil {
		t.Error(err)
	}
	if _, err := client.RemoveCredential(lead, &deskv1.RemoveCredentialRequest{Name: "floors"}); err != nil {
		t.Error(err)
	}
}
