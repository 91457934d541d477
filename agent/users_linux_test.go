package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"constat/agent/local"
	"constat/internal/fault"
	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// dialAs connects to a socket as another user of this machine. The kernel tells the
// other end whose thread it was that connected.
func dialAs(t *testing.T, socket string, uid int) constatv1.LocalServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///local", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			runtime.LockOSThread() // and never again another goroutine's: the thread ends with this one
			if _, _, err := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); err != 0 {
				return nil, err
			}
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return nil, err
			}
			if err := unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); err != nil {
				return nil, err
			}
			file := os.NewFile(uintptr(fd), socket)
			defer file.Close()
			return net.FileConn(file)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return constatv1.NewLocalServiceClient(conn)
}

// Two people use a machine, at once or one after the other. What one of them found out,
// is offered, was answered and is doing is nothing to the other.
func TestAnotherUsersSessionIsClosed(t *testing.T) {
	lab.Need(t, "root, to be two users", os.Geteuid() == 0)
	const anna, bob = 4001, 4002
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	catalog, err := fault.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	hers := found()
	hers.user = local.User{ID: strconv.Itoa(anna), Name: "anna"}
	hers.diagnosis.RootCauses[0].Remedies = []string{"restart-printing"}
	c := &counter{observer: &observer{dir: t.TempDir(), catalog: catalog}, kept: []kept{hers}}
	c.people.open(t.TempDir())
	c.people.of(hers.user).answer = &constatv1.ListPersonTicketsResponse{Tickets: []*constatv1.PersonTicket{{Ticket: &constatv1.Ticket{Id: "t1", Number: 7, Title: "anna’s"}}}}
	socket := filepath.Join(dir, "agent.sock")
	l, err := local.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	go local.Serve(t.Context(), l, c)
	for uid, own := range map[int]bool{anna: true, bob: false} {
		agent := dialAs(t, socket, uid)
		preview, err := agent.PreviewTicket(t.Context(), &constatv1.PreviewTicketRequest{DiagnosisId: "d", Language: "en"})
		switch {
		case own && (err != nil || !strings.Contains(preview.String(), "canary-host")):
			t.Errorf("anna does not see what is hers: %v", err)
		case !own && (status.Code(err) != codes.NotFound || strings.Contains(err.Error(), "canary")):
			t.Errorf("bob sees what anna would send: %v, %v", preview, err)
		}
		offers, err := agent.ListRemedies(t.Context(), &constatv1.ListRemediesRequest{Language: "en"})
		if err != nil || (len(offers.GetOffers()) > 0) != own {
			t.Errorf("user %d is offered %v, %v", uid, offers, err)
		}
		tickets, err := agent.ListTickets(t.Context(), &constatv1.ListTicketsRequest{Language: "en"})
		if err != nil || (len(tickets.GetTickets()) > 0) != own {
			t.Errorf("user %d has the tickets %v, %v", uid, tickets, err)
		}
		if _, err := agent.SubmitTicket(t.Context(), &constatv1.SubmitTicketRequest{Complaint: "printing", Text: "x", DiagnosisId: "d"}); err == nil {
			t.Errorf("user %d sends a ticket from a machine without a collector", uid)
		}
		if _, err := agent.Walk(t.Context(), &constatv1.WalkRequest{Procedure: "printing", DiagnosisId: "d"}); (err == nil) != own {
			t.Errorf("user %d walks on with anna's diagnosis: %v", uid, err)
		}
		// While something is looked into for anna, bob's icon stands still.
		end := c.people.works(hers.user)
		ctx, cancel := context.WithCancel(t.Context())
		watch, err := agent.Watch(ctx, &constatv1.WatchRequest{Language: "en"})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := watch.Recv(); err != nil || (m.GetState() == "working") != own {
			t.Errorf("user %d is told %v, %v", uid, m, err)
		}
		cancel()
		end()
	}
}
