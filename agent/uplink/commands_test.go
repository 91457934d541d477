package uplink

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

func command(n int, expires time.Time) *constatv1.Command {
	return &constatv1.Command{
		Id: testID(n), ExpiresAt: timestamppb.New(expires), RequestedBy: "Ana",
		Verb: &constatv1.Command_Diagnose{Diagnose: &constatv1.DiagnoseCommand{Procedure: "full", Ticket: 7}},
	}
}

// deliver makes a stream that carries these commands.
func deliver(commands ...*constatv1.Command) func(context.Context, *constatv1.Hello, constatv1.AgentService_ConnectServer) error {
	return func(_ context.Context, _ *constatv1.Hello, s constatv1.AgentService_ConnectServer) error {
		for _, c := range commands {
			if err := s.Send(&constatv1.ConnectResponse{Message: &constatv1.ConnectResponse_Command{Command: c}}); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestADiagnosisIsStoredBeforeItsResultIsTold(t *testing.T) {
	c := startCollector(t)
	c.connect = deliver(command(1, time.Now().Add(time.Hour)))
	l := c.open()
	c.run(l, Handlers{Diagnose: func(_ context.Context, cmd *constatv1.Command, progress func(*constatv1.Progress)) (*constatv1.Diagnosis, *constatv1.Snapshot, error) {
		progress(&constatv1.Progress{Phase: "observing"})
		return &constatv1.Diagnosis{Id: testID(50)}, fullSnapshot(51, "pc", 1), nil
	}})
	r := within(t, c.results, "the result")
	if r.GetStatus() != "done" || r.GetDiagnosisId() != testID(50) || r.GetCommandId() != testID(1) {
		t.Errorf("result is %v", r)
	}
	var stored []string
	for len(c.uploaded) > 0 {
		for _, r := range <-c.uploaded {
			_, id := identify(r)
			stored = append(stored, id)
		}
	}
	slices.Sort(stored)
	if !slices.Equal(stored, []string{testID(50), testID(51)}) {
		t.Errorf("stored when the result came: %v", stored)
	}
}

func TestCommandsRunOneAtATimeAndTheRestIsRefused(t *testing.T) {
	c := startCollector(t)
	later := time.Now().Add(time.Hour)
	begun, goOn := make(chan string, 10), make(chan struct{})
	c.connect = deliver(command(1, later))
	l := c.open()
	c.run(l, Handlers{Diagnose: func(_ context.Context, cmd *constatv1.Command, _ func(*constatv1.Progress)) (*constatv1.Diagnosis, *constatv1.Snapshot, error) {
		begun <- cmd.GetId()
		<-goOn
		return nil, nil, errors.New("nothing to see")
	}})
	within(t, begun, "the first command")
	for n := 2; n <= 4; n++ {
		l.commands.take(command(n, later))
	}
	for range 2 {
		if r := within(t, c.results, "a refusal"); r.GetStatus() != "refused" || !strings.Contains(r.GetReason(), "busy") {
			t.Errorf("result is %v, want refused", r)
		}
	}
	close(goOn)
	for _, want := range []string{testID(1), testID(2)} {
		if r := within(t, c.results, "a result"); r.GetCommandId() != want || r.GetStatus() != "failed" || r.GetReason() != "nothing to see" {
			t.Errorf("result is %v, want failed %s", r, want)
		}
	}
	// Delivered again, as after a reconnect: answered, not run.
	l.commands.take(command(1, later))
	if r := within(t, c.results, "the answer again"); r.GetCommandId() != testID(1) || r.GetStatus() != "failed" {
		t.Errorf("result is %v", r)
	}
	if len(begun) != 1 {
		t.Errorf("%d commands began after the first, want one", len(begun))
	}
}

func TestCommandsThatCannotBeCarriedOutSaySo(t *testing.T) {
	c := startCollector(t)
	c.skew = 24 * time.Hour // by its clock the command is good for an hour yet
	unknown := command(2, time.Now().Add(48*time.Hour))
	unknown.Verb = nil
	run := make(chan struct{}, 1)
	c.connect = deliver(command(1, time.Now().Add(23*time.Hour)))
	l := c.open()
	c.run(l, Handlers{Diagnose: func(context.Context, *constatv1.Command, func(*constatv1.Progress)) (*constatv1.Diagnosis, *constatv1.Snapshot, error) {
		run <- struct{}{}
		return nil, nil, errors.New("it ran")
	}})
	if r := within(t, c.results, "the expired command's result"); r.GetStatus() != "expired" {
		t.Errorf("result is %v, want expired", r)
	}
	l.commands.take(unknown)
	if r := within(t, c.results, "the unknown command's result"); r.GetStatus() != "refused" || !strings.Contains(r.GetReason(), "update") {
		t.Errorf("result is %v, want refused", r)
	}
	if len(run) != 0 {
		t.Error("one of them ran")
	}
}

func TestAResultWaitsForTheNextConnection(t *testing.T) {
	c := newCommands()
	c.take(command(1, time.Now()))
	<-c.queue
	c.finish(&constatv1.CommandResult{CommandId: testID(1), Status: "done"})
	broken := errors.New("broken")
	if err := c.sendResults(func(*constatv1.ConnectRequest) error { return broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	var sent []string
	for range 2 {
		err := c.sendResults(func(r *constatv1.ConnectRequest) error {
			sent = append(sent, r.GetResult().GetCommandId())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(sent, []string{testID(1)}) {
		t.Errorf("sent %v", sent)
	}
}
