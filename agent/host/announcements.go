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
	"runtime"
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
	// ends are the links that are listened to.
	ends map[string]*linkEnd
}

// linkEnd is this machine's end of a cable.
type linkEnd struct {
	carrier   bool
	addresses string
	// losses counts how often the carrier was lost.
	losses int
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
	// Of turns that are cut short because a link changed, who listens does so to their
	// end: in cutFor there are at most maxCut, or nobody else would be heard there.
	maxCut = 2
	cutFor = 15 * time.Second
)

// Listen hears announcements on all wired links, by the verb "lldp" of the
// process that holds the rights, until ctx ends. Links may come and go: as soon as
// the system tells that a cable was plugged in, or that a link has another address,
// it is listened to, and what was heard before a carrier was lost is of before.
func (a *Announcements) Listen(ctx context.Context, c Config) {
	a.note(nil)
	woken := make(chan struct{}, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	if c.Privileged != nil {
		watching.Go(func() {
			watchLinks(ctx, func(n linkNews) {
				if a.changed(n, time.Now(), func() []string { return wiredLinks(newReader(ctx, c)) }) {
					select {
					case woken <- struct{}{}:
					default:
					}
				}
			})
		})
	}
	silent := 0
	var cut []time.Time // when turns were cut short
	for ctx.Err() == nil {
		turn, end := context.WithCancel(ctx)
		watching.Go(func() {
			select {
			case <-woken:
				end()
			case <-turn.Done():
			}
		})
		links := wiredLinks(newReader(ctx, c))
		a.attend(links)
		all := a.turn(turn, c, links)
		pause := time.Duration(0)
		switch silent++; {
		case turn.Err() != nil: // begin anew
			silent = 0
			if len(links) > 0 {
				cut = append(cut, time.Now())
			}
			if len(cut) > maxCut { // a plug with bad contact
				pause, cut = max(cutFor-time.Since(cut[0]), 0), cut[1:]
			}
		case all:
			pause, silent = pauseHeard, 0
		case a.trouble() != nil || silent >= silentTurns:
			pause, silent = pauseSilent, 0
		}
		if pause > 0 {
			until := turn
			if turn.Err() != nil {
				until = ctx
			}
			select {
			case <-until.Done():
			case <-time.After(pause):
			}
		}
		end()
	}
}

// attend notes how the links are that are listened to now.
func (a *Announcements) attend(links []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ends == nil {
		a.ends = map[string]*linkEnd{}
	}
	for _, name := range links {
		if a.ends[name] == nil {
			a.ends[name] = &linkEnd{addresses: addressesOn(name)}
		}
		a.ends[name].carrier = true
	}
}

// changed takes up what the system tells of a link, and tells whether that is worth
// listening anew.
func (a *Announcements) changed(n linkNews, now time.Time, wired func() []string) bool {
	addresses := ""
	if n.address {
		addresses = addressesOn(n.name)
	}
	a.mu.Lock()
	end := a.ends[n.name]
	listened := end != nil && end.carrier
	switch {
	case n.address:
		defer a.mu.Unlock()
		if !listened || end.addresses == addresses { // routers repeat theirs all the time
			return false
		}
		end.addresses = addresses
		return true
	case !n.carrier:
		defer a.mu.Unlock()
		if !listened {
			return false
		}
		end.carrier = false
		end.losses++
		for i := range a.kept {
			if a.kept[i].GetLink() == n.name && a.kept[i].until.After(now) {
				a.kept[i].until = now
			}
		}
		return true
	}
	a.mu.Unlock()
	return !listened && slices.Contains(wired(), n.name)
}

func (a *Announcements) losses(link string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if end := a.ends[link]; end != nil {
		return end.losses
	}
	return 0
}

// addressesOn are the addresses of a link, as one text.
func addressesOn(link string) string {
	var all []string
	if i, err := net.InterfaceByName(link); err == nil {
		if found, err := i.Addrs(); err == nil {
			for _, one := range found {
				all = append(all, one.String())
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
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
			before := a.losses(link)
			frames, err := c.Privileged(ctx, "lldp", link)
			if ctx.Err() != nil {
				return
			}
			a.note(err)
			if a.losses(link) != before { // nobody knows on which side of it they came
				frames = nil
			}
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
		if l.Flags&wanted != wanted || l.Flags&unwanted != 0 || len(l.HardwareAddr) != 6 || runtime.GOOS == "darwin" && !macLink(l.Name) {
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
