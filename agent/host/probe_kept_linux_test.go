package host

import (
	"net"
	"testing"
	"time"
)

func TestWhatStandsGivesASignOfLife(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var s standing
	defer s.close()
	for range 5 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if asked, _ := signOfLife(conn, time.Millisecond); asked {
			t.Error("a connection that began just now was not asked")
		}
		s.add(conn)
	}
	never := func(returns) bool { return false }
	if got := s.ask(t.Context(), time.Millisecond, never); got != (returns{5, 5}) {
		t.Errorf("five that stand: %+v", got)
	}
	// Whoever has enough with the first of them waits for no others.
	if got := s.ask(t.Context(), time.Millisecond, func(first returns) bool { return first.received == 5 }); got != (returns{5, 5}) {
		t.Errorf("the first are enough: %+v", got)
	}
	if asked, answered := signOfLife(s.conns[0], time.Millisecond); asked || answered {
		t.Error("an answer that came before it can have been asked for")
	}
}
