package wire

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"constat/collector/intake"
	"constat/internal/identity"
	constatv1 "constat/proto/constat/v1"
)

// crowd is how many agents BenchmarkIdleStreams connects.
const crowd = 500

// BenchmarkIdleStreams tells what a connected agent that says nothing costs the
// collector: B/stream is all memory its process holds for one, with TLS, gRPC,
// the desk's subscription and the stacks.
func BenchmarkIdleStreams(b *testing.B) {
	dir := b.TempDir()
	c, err := openCollector(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	defer c.close()
	token, err := intake.NewToken(b.Context(), c.desk, c.authority, crowd*2, time.Now().Add(time.Hour), "crowd", "")
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600); err != nil {
		b.Fatal(err)
	}
	in := intake.New(c.desk, c.authority, intake.Options{Names: []string{"127.0.0.1"}, Log: slog.New(slog.DiscardHandler)})
	server, err := in.Server()
	if err != nil {
		b.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go server.Serve(listener)
	defer server.Stop()
	for b.Loop() {
		before := held()
		agents := start(b, "crowd", dir, listener.Addr().String())
		connected := 0
		for e := range agents.events {
			if connected++; e.Number == crowd {
				break
			}
		}
		if connected == 0 {
			b.Fatal("the agents did not connect")
		}
		b.ReportMetric(float64(held()-before)/crowd, "B/stream")
		agents.kill()
	}
}

// held is the memory in use after garbage was collected.
func held() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// beCrowd enrols and connects as many agents, one connection each, and holds
// them.
func beCrowd(dir, address string) error {
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil {
		return err
	}
	parsed, err := identity.ParseToken(string(token))
	if err != nil {
		return err
	}
	for n := range crowd {
		stream, err := connectOne(parsed, address, strconv.Itoa(os.Getpid())+"-"+strconv.Itoa(n))
		if err != nil {
			return err
		}
		if _, err := stream.Recv(); err != nil {
			return err
		}
		if err := json.NewEncoder(os.Stdout).Encode(event{Stored: "stream", Number: int32(n + 1)}); err != nil {
			return err
		}
		defer runtime.KeepAlive(stream)
	}
	_, err = fmt.Scanln() // until it is killed
	return err
}

func connectOne(token identity.Token, address, name string) (constatv1.AgentService_ConnectClient, error) {
	ctx := context.Background()
	key, csr, err := identity.NewRequest()
	if err != nil {
		return nil, err
	}
	config := identity.EnrollTLS(token.KeyHash, "127.0.0.1", time.Now)
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return nil, err
	}
	r, err := constatv1.NewAgentServiceClient(conn).Enroll(ctx, &constatv1.EnrollRequest{Token: token.Text(), Csr: csr, Hostname: name, MachineHash: name})
	if err != nil {
		return nil, err
	}
	if err := conn.Close(); err != nil {
		return nil, err
	}
	config = identity.EnrollTLS(token.KeyHash, "127.0.0.1", time.Now)
	config.Certificates = []tls.Certificate{{Certificate: [][]byte{r.GetCertificate()}, PrivateKey: key}}
	conn, err = grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return nil, err
	}
	stream, err := constatv1.NewAgentServiceClient(conn).Connect(ctx)
	if err != nil {
		return nil, err
	}
	return stream, stream.Send(&constatv1.ConnectRequest{Message: &constatv1.ConnectRequest_Hello{Hello: &constatv1.Hello{Hostname: name}}})
}
