package host

import (
	"io"
	"net"
	"testing"

	constatv1 "constat/proto/constat/v1"
)

func TestAskMail(t *testing.T) {
	for greeting, want := range map[string]string{
		"220 mail.example ESMTP\r\n": "ok", "* OK IMAP4rev1 ready\r\n": "ok", "+OK POP3\r\n": "ok", "220": "ok",
		"421 too busy\r\n": "error", "HTTP/1.1 400 Bad Request\r\n": "error", "": "error",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, greeting)
				c.Close()
			}
		}()
		s := loopbackProber(t, nil).askService(&constatv1.ProbeService{Name: "mail", Mail: l.Addr().String()})
		if s.GetResult() != want || s.GetKind() != "mail" || !s.GetConnected() {
			t.Errorf("%q: %v, want %s", greeting, s, want)
		}
	}
}
