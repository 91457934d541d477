package uplink

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"constat/internal/identity"
	constatv1 "constat/proto/constat/v1"
)

func signed(t *testing.T, by *identity.Authority, k *constatv1.Knowledge) *constatv1.SignedKnowledge {
	t.Helper()
	content, err := proto.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := by.SignKnowledge(content)
	if err != nil {
		t.Fatal(err)
	}
	return &constatv1.SignedKnowledge{Content: content, Signature: signature}
}

// What is in force is what our own authority signed, the newest of it, and
// nothing that cannot be used.
func TestKnowledgeIsOursAndNeverOlder(t *testing.T) {
	c := startCollector(t)
	l := c.open()
	stranger, err := identity.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tampered := signed(t, c.authority, &constatv1.Knowledge{Revision: 9})
	tampered.Content = append(tampered.Content, 0x08, 0x0a) // revision 10
	unusable := errors.New("this program does not know such a fact")
	for _, tt := range []struct {
		name  string
		sent  *constatv1.SignedKnowledge
		check error
		want  int64
	}{
		{"forged", signed(t, stranger, &constatv1.Knowledge{Revision: 7}), nil, 0},
		{"unsigned", &constatv1.SignedKnowledge{Content: tampered.Content}, nil, 0},
		{"tampered with", tampered, nil, 0},
		{"ours", signed(t, c.authority, &constatv1.Knowledge{Revision: 5}), nil, 5},
		{"of no use", signed(t, c.authority, &constatv1.Knowledge{Revision: 8}), unusable, 5},
		{"older", signed(t, c.authority, &constatv1.Knowledge{Revision: 4}), nil, 5},
		{"the same again", signed(t, c.authority, &constatv1.Knowledge{Revision: 5}), nil, 5},
		{"newer", signed(t, c.authority, &constatv1.Knowledge{Revision: 6}), nil, 6},
		{"forged and newer", signed(t, stranger, &constatv1.Knowledge{Revision: 99}), nil, 6},
	} {
		l.takeKnowledge(tt.sent, func(*constatv1.Knowledge) error { return tt.check })
		if k, err := Knowledge(l.dir); err != nil || k.GetRevision() != tt.want {
			t.Errorf("%s: revision %d is in force, %v; want %d", tt.name, k.GetRevision(), err, tt.want)
		}
	}
	// Whoever can write the file, and has not our key, puts nothing in force.
	forged, err := proto.Marshal(signed(t, stranger, &constatv1.Knowledge{Revision: 100}))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"forged": forged, "damaged": []byte("\xff\xff")} {
		if err := os.WriteFile(filepath.Join(l.dir, knowledgeFile), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := Knowledge(l.dir); k != nil || err == nil {
			t.Errorf("%s on disk: %v, %v", name, k, err)
		}
	}
	// And the next one that is sent mends it.
	l.takeKnowledge(signed(t, c.authority, &constatv1.Knowledge{Revision: 7}), nil)
	if k, err := Knowledge(l.dir); k.GetRevision() != 7 {
		t.Errorf("after it was damaged: %v, %v", k, err)
	}
}

func TestKnowledgeComesOverTheStream(t *testing.T) {
	c := startCollector(t)
	l := c.open()
	c.connect = func(ctx context.Context, _ *constatv1.Hello, s constatv1.AgentService_ConnectServer) error {
		if err := s.Send(&constatv1.ConnectResponse{Message: &constatv1.ConnectResponse_Knowledge{Knowledge: signed(t, c.authority, &constatv1.Knowledge{Revision: 3})}}); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	asked := make(chan int64, 1)
	c.run(l, Handlers{Knowledge: func(k *constatv1.Knowledge) error { asked <- k.GetRevision(); return nil }})
	if hello := within(t, c.hellos, "hello"); hello.GetKnowledgeRevision() != 0 {
		t.Errorf("hello is %v", hello)
	}
	if revision := within(t, asked, "knowledge"); revision != 3 {
		t.Errorf("revision %d came", revision)
	}
}

func FuzzKnowledge(f *testing.F) {
	authority, err := identity.NewAuthority(time.Now())
	if err != nil {
		f.Fatal(err)
	}
	e := &enrolment{ca: authority.Certificate()}
	f.Add([]byte("content"), []byte("signature"))
	f.Fuzz(func(t *testing.T, content, signature []byte) {
		if k, err := e.opened(&constatv1.SignedKnowledge{Content: content, Signature: signature}); err == nil {
			t.Errorf("accepted: %v", k)
		}
	})
}
