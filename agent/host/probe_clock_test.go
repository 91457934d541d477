package host

import (
	"encoding/binary"
	"net"
	"slices"
	"testing"
	"time"

	constatv1 "constat/proto/constat/v1"
)

func TestTimeServers(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"none":      {map[string]string{"etc/systemd/timesyncd.conf": "[Time]\n#NTP=\n"}, nil},
		"timesyncd": {map[string]string{"etc/systemd/timesyncd.conf": "[Time]\n#FallbackNTP=x\n", "etc/systemd/timesyncd.conf.d/corp.conf": "[Time]\nNTP=ntp1.example 192.0.2.9\n"}, []string{"ntp1.example", "192.0.2.9"}},
		"chrony":    {map[string]string{"etc/chrony/chrony.conf": "pool  2.debian.pool.ntp.org iburst\n! server old\n", "etc/chrony/sources.d/corp.sources": "server ntp.example prefer\n"}, []string{"2.debian.pool.ntp.org", "ntp.example"}},
		"ntpd":      {map[string]string{"etc/ntp.conf": "server 127.127.1.0\nserver -4 ntp.example\nserver b.example iburst\n"}, []string{"b.example"}},
	} {
		r := &reader{Config: Config{Root: tree(t, c.files)}}
		if got := r.timeServers(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// timeAnswer is a server's answer whose clock is ahead by so much.
func timeAnswer(request []byte, ahead time.Duration) []byte {
	answer := make([]byte, 48)
	answer[0], answer[1] = 4<<3|4, 2
	copy(answer[24:], request[40:48])
	now := time.Now().Add(ahead)
	for _, at := range []int{32, 40} {
		binary.BigEndian.PutUint32(answer[at:], uint32(now.Unix()+ntpEpoch))
		binary.BigEndian.PutUint32(answer[at+4:], uint32(uint64(now.Nanosecond())<<32/1_000_000_000))
	}
	return answer
}

func TestAskTime(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		request := make([]byte, 48)
		for {
			n, from, err := server.ReadFrom(request)
			if err != nil {
				return
			}
			if n == 48 {
				_, _ = server.WriteTo([]byte("not an answer at all"), nil)
				_, _ = server.WriteTo(timeAnswer(request, time.Hour), from)
			}
		}
	}()
	p := loopbackProber(t, nil)
	c := p.askClock([]string{server.LocalAddr().String()})
	told(t, &constatv1.Snapshot{Probes: &constatv1.Probes{Clock: c}})
	if c.GetResult() != "ok" || c.GetOffsetSeconds() < 3590 || c.GetOffsetSeconds() > 3610 {
		t.Errorf("an hour ahead: %v", c)
	}
}

func TestParseTimeRefuses(t *testing.T) {
	now := time.Now()
	request := make([]byte, 48)
	copy(request[40:], "question")
	good := timeAnswer(request, 0)
	change := func(at int, to byte) []byte {
		b := slices.Clone(good)
		b[at] = to
		return b
	}
	for name, answer := range map[string][]byte{
		"cut": good[:47], "another's": change(24, 'x'), "a client": change(0, 4<<3|3), "not set": change(0, 3<<6|4<<3|4), "a kiss of death": change(1, 0), "stratum 16": change(1, 16),
	} {
		if offset, err := parseTime(answer, "question", now, now); err == nil {
			t.Errorf("%s: %v", name, offset)
		}
	}
}

func FuzzTime(f *testing.F) {
	f.Add([]byte("pool 2.debian.pool.ntp.org iburst\nNTP=a b\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if servers := parseTimeServers(content, []string{"NTP=", "server "}); len(servers) > maxNames {
			t.Errorf("%d servers", len(servers))
		}
		_, _ = parseTime(content, "question", time.Now(), time.Now())
	})
}
