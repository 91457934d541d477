package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

// Announcements are what switches said of themselves over LLDP and CDP, by link.
// They come every 30 or 60 seconds, so nobody can wait for one: a service
// listens all the time, and a snapshot takes what was heard last. The last word
// of each link is kept when the link dies, and in a file when the machine is
// switched off: that is when it is asked for.
type Announcements struct {
	mu   sync.Mutex
	file string
	kept []heard
	// problem is why nothing is heard; nil while something is, or may be.
	problem error
	saved   time.Time
}

// heard is one neighbour, when it was heard, and until when its word holds.
// until is zero where that was not in this process.
type heard struct {
	*constatv1.LinkNeighbour
	at, until time.Time
}

const (
	// maxHeard is how many neighbours are kept.
	maxHeard = 64
	// maxListened is how many links are listened to at a time.
	maxListened = 4
	// saveEvery is how old the file's times may get.
	saveEvery = time.Hour
)

// errNotHeard is the gap where no service has listened.
var errNotHeard = fmt.Errorf("switches announce themselves every half a minute, and the agent's service, which listens, has not run here: %w", errors.ErrUnsupported)

// OpenAnnouncements returns what was kept in a directory, and keeps there what
// Listen hears.
func OpenAnnouncements(dir string) *Announcements {
	a := &Announcements{file: filepath.Join(dir, "neighbours")}
	content, err := os.ReadFile(a.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.problem = errNotHeard
		return a
	case err != nil:
		a.problem = fmt.Errorf("what the agent's service heard: %w", err)
		return a
	}
	var kept constatv1.Network
	if err := proto.Unmarshal(content, &kept); err != nil {
		return a // written by nobody we know: it will be written again
	}
	for _, n := range kept.Neighbours[:min(len(kept.Neighbours), maxHeard)] {
		a.kept = append(a.kept, heard{LinkNeighbour: n, at: n.GetHeardAt().AsTime()})
	}
	return a
}

// Times of Listen: while a link is silent it is listened to without a pause for
// as long as takes two announcements of the slowest kind, then now and then;
// while it is not, often enough to notice a cable that moved.
const (
	pauseHeard  = time.Minute
	pauseSilent = 5 * time.Minute
	silentTurns = 10
)

// Listen hears announcements on all wired links, by the verb "lldp" of the
// process that holds the rights, until ctx ends. Links may come and go.
func (a *Announcements) Listen(ctx context.Context, c Config) {
	a.note(nil)
	silent := 0
	for ctx.Err() == nil {
		links := wiredLinks(newReader(ctx, c))
		all := a.turn(ctx, c, links)
		pause := time.Duration(0)
		switch silent++; {
		case all:
			pause, silent = pauseHeard, 0
		case a.trouble() != nil || silent >= silentTurns:
			pause, silent = pauseSilent, 0
		}
		if pause > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}
}

func (a *Announcements) trouble() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problem
}

// turn listens to each link once; all tells whether each said something.
func (a *Announcements) turn(ctx context.Context, c Config, links []string) (all bool) {
	if c.Privileged == nil {
		a.note(fmt.Errorf("listening needs rights: %w", fs.ErrPermission))
		return false
	}
	var (
		wait    sync.WaitGroup
		room    = make(chan struct{}, maxListened)
		silence = make(chan struct{}, len(links))
	)
	for _, link := range links {
		room <- struct{}{}
		wait.Go(func() {
			defer func() { <-room }()
			frames, err := c.Privileged(ctx, "lldp", link)
			if ctx.Err() != nil {
				return
			}
			a.note(err)
			if err != nil || a.hear(time.Now(), link, frames) == 0 {
				silence <- struct{}{}
			}
		})
	}
	wait.Wait()
	return len(silence) == 0
}

// note remembers why nothing is heard; nil says that listening works.
func (a *Announcements) note(err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return // the link went away meanwhile
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.problem = err
}

// hear takes frames, each behind its length in two bytes, as heard on a link,
// and returns how many of them were announcements.
func (a *Announcements) hear(now time.Time, link string, frames []byte) (count int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	changed := false
	for len(frames) >= 2 {
		size := int(binary.BigEndian.Uint16(frames))
		if len(frames) < 2+size {
			break
		}
		said, err := parseAnnouncement(frames[2 : 2+size])
		frames = frames[2+size:]
		if err != nil {
			continue
		}
		count++
		said.Link = &link
		scrub(said.LinkNeighbour)
		changed = a.keep(heard{said.LinkNeighbour, now, now.Add(said.holds)}) || changed
	}
	if changed || count > 0 && now.Sub(a.saved) >= saveEvery {
		a.save(now)
	}
	return count
}

// keep puts a neighbour in the place of its last word, and of those on the same
// link that have fallen silent. It tells whether that is news.
func (a *Announcements) keep(h heard) (news bool) {
	news = true
	a.kept = slices.DeleteFunc(a.kept, func(old heard) bool {
		if old.GetLink() != h.GetLink() || old.GetProtocol() != h.GetProtocol() {
			return false
		}
		if old.GetChassisId() == h.GetChassisId() && old.GetPortId() == h.GetPortId() {
			old.HeardAt, old.Current = nil, nil
			news = !proto.Equal(old.LinkNeighbour, h.LinkNeighbour)
			return true
		}
		return !old.until.After(h.at)
	})
	a.kept = append(a.kept, h)
	if len(a.kept) > maxHeard {
		a.kept = a.kept[1:]
	}
	return news
}

// save writes what is kept. A disk that is full costs the memory of the next
// start, no more.
func (a *Announcements) save(now time.Time) {
	kept := &constatv1.Network{}
	for _, h := range a.kept {
		n := proto.CloneOf(h.LinkNeighbour)
		n.HeardAt = timestamppb.New(h.at)
		kept.Neighbours = append(kept.Neighbours, n)
	}
	content, err := proto.Marshal(kept)
	if err == nil {
		err = os.WriteFile(a.file+".new", content, 0o600)
	}
	if err == nil && os.Rename(a.file+".new", a.file) == nil {
		a.saved = now
	}
}

// neighbours returns what is known now, sorted by link, protocol, chassis and
// port, and why it may not be all.
func (a *Announcements) neighbours(now time.Time) ([]*constatv1.LinkNeighbour, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []*constatv1.LinkNeighbour
	for _, h := range a.kept {
		n := proto.CloneOf(h.LinkNeighbour)
		n.Current, n.HeardAt = nil, timestamppb.New(h.at)
		if !h.until.IsZero() {
			n.Current = set(h.until.After(now))
		}
		if n.GetCurrent() {
			n.HeardAt = nil // or the group would change with every announcement
		}
		list = append(list, n)
	}
	slices.SortFunc(list, func(x, y *constatv1.LinkNeighbour) int {
		key := func(n *constatv1.LinkNeighbour) []string {
			return []string{n.GetLink(), n.GetProtocol(), n.GetChassisId(), n.GetPortId()}
		}
		return slices.Compare(key(x), key(y))
	})
	return list, a.problem
}

// readNeighbours fills in what the service has heard.
func readNeighbours(r *reader, n *constatv1.Network, o *constatv1.Observation) {
	if r.Announced == nil {
		gap(o, "neighbours", errNotHeard)
		return
	}
	var err error
	if n.Neighbours, err = r.Announced.neighbours(time.Now()); err != nil {
		gap(o, "neighbours", err)
	}
}

// wiredLinks are the links on which a switch may be at the other end: up, with
// a carrier and an Ethernet address, no radio, and not made of other links.
func wiredLinks(r *reader) []string {
	links, err := net.Interfaces()
	if err != nil {
		return nil
	}
	const wanted, unwanted = net.FlagUp | net.FlagRunning, net.FlagLoopback | net.FlagPointToPoint
	var names []string
	for _, l := range links {
		if l.Flags&wanted != wanted || l.Flags&unwanted != 0 || len(l.HardwareAddr) != 6 {
			continue
		}
		made := slices.ContainsFunc([]string{"phy80211", "bridge", "bonding", "tun_flags", "brport"}, func(mark string) bool {
			_, err := r.stat("/sys/class/net/" + strings.ReplaceAll(l.Name, "/", "!") + "/" + mark)
			return err == nil
		})
		if !made {
			names = append(names, l.Name)
		}
	}
	return names
}
