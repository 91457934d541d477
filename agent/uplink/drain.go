package uplink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

const (
	// maxBatchReports and maxReportBytes bound one upload.
	maxBatchReports = 100
	// uploadTimeout lets 16 MiB through a line of 256 kbit/s.
	uploadTimeout = 10 * time.Minute
	// lookAgain is how often the spool is looked at for reports of other
	// processes.
	lookAgain = 10 * time.Second
	// holdBack is how long a report waits after the collector failed on it,
	// while the others go ahead.
	holdBack = time.Minute

	statusStored  = "stored"
	statusMissing = "missing"
	statusRefused = "refused"
)

// upload is what is known while one connection drains the spool.
type upload struct {
	link   *Link
	client constatv1.AgentServiceClient
	sent   *sentPayloads
	// whole are the reports whose payloads were asked for.
	whole map[string]bool
	// held are the reports that wait after a failure, until when.
	held map[string]time.Time
}

// drain sends what is spooled until ctx ends.
func (l *Link) drain(ctx context.Context, client constatv1.AgentServiceClient) {
	u := &upload{
		link: l, client: client,
		sent:  loadSent(l.dir, l.EndpointID()),
		whole: map[string]bool{}, held: map[string]time.Time{},
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		progress, err := u.batch(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			l.log.Warn("reports could not be sent and are kept", "error", err)
		}
		if progress {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-l.spool.changed:
		case <-tick.C:
		}
	}
}

// parcel is a report on its way, with its file.
type parcel struct {
	file spooled
	// report is as it is sent: without payloads the collector has.
	report *constatv1.Report
	// trimmed says that payloads were left out.
	trimmed bool
}

// batch sends one upload. progress tells whether it is worth to go on at once.
func (u *upload) batch(ctx context.Context) (progress bool, err error) {
	parcels, err := u.pick()
	if err != nil || len(parcels) == 0 {
		return false, err
	}
	settled, err := u.send(ctx, parcels)
	if err == nil || len(parcels) == 1 || !concernsContent(err) {
		return settled > 0, err
	}
	// One of them is the trouble: each on its own, so that it stops no other.
	total := 0
	for _, p := range parcels {
		settled, alone := u.send(ctx, []parcel{p})
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if alone != nil {
			u.held[p.file.id] = u.link.now().Add(holdBack)
			err = alone
		}
		total += settled
	}
	return total > 0, err
}

// concernsContent tells whether an upload may have failed because of what was in
// it, so that other reports may fare better.
func concernsContent(err error) bool {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.Internal, codes.Unknown, codes.ResourceExhausted, codes.DataLoss:
		return true
	}
	return false
}

// pick reads the next parcels: tickets first, since people wait for them, then
// the others by age.
func (u *upload) pick() ([]parcel, error) {
	waiting, err := u.link.spool.list()
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(waiting, func(a, b spooled) int { return cmp.Compare(urgency(a.kind), urgency(b.kind)) })
	var parcels []parcel
	inBatch := map[string]bool{}
	size := 0
	for _, e := range waiting {
		if len(parcels) == maxBatchReports {
			break
		}
		if until, ok := u.held[e.id]; ok && u.link.now().Before(until) {
			continue
		}
		r, err := u.link.spool.read(e)
		if errors.Is(err, fs.ErrNotExist) {
			continue // dropped to make room, or marked as a ticket's
		}
		if err != nil {
			continue // told and set aside
		}
		p := parcel{file: e, report: r}
		if s := r.GetSnapshot(); s != nil && !u.whole[e.id] {
			p.trimmed = u.trim(s, inBatch)
		}
		bytes := proto.Size(p.report) + 16 // and its frame
		if size+bytes > maxReportBytes && len(parcels) > 0 {
			break
		}
		size += bytes
		parcels = append(parcels, p)
	}
	return parcels, nil
}

func urgency(kind string) int {
	switch kind {
	case kindTicket:
		return 0
	case kindReply: // to a ticket that may be in the same batch
		return 1
	}
	return 2
}

// trim leaves out payloads that the collector has, or gets earlier in the same
// batch.
func (u *upload) trim(s *constatv1.SnapshotReport, inBatch map[string]bool) (trimmed bool) {
	all := len(s.GetPayloads())
	s.Payloads = slices.DeleteFunc(s.GetPayloads(), func(p *constatv1.Payload) bool {
		key := p.GetGroup() + "\x00" + string(p.GetHash())
		known := inBatch[key] || u.sent.has(p.GetGroup(), p.GetHash())
		inBatch[key] = true
		return known
	})
	return len(s.GetPayloads()) < all
}

// send uploads parcels and settles each by its receipt. settled counts those
// that need not be sent as they are again.
func (u *upload) send(ctx context.Context, parcels []parcel) (settled int, err error) {
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	request := &constatv1.UploadRequest{}
	for _, p := range parcels {
		request.Reports = append(request.Reports, p.report)
	}
	response, err := u.client.Upload(ctx, request, grpc.UseCompressor(gzip.Name))
	if status.Code(err) == codes.InvalidArgument && len(parcels) == 1 {
		// It will be as wrong tomorrow.
		u.settle(parcels[0], &constatv1.Receipt{Id: parcels[0].file.id, Status: statusRefused, Reason: status.Convert(err).Message()})
		return 1, nil
	}
	if err != nil {
		return 0, &answer{status: status.Convert(err), address: "upload"}
	}
	u.link.heard()
	byID := map[string]*constatv1.Receipt{}
	for _, r := range response.GetReceipts() {
		byID[r.GetId()] = r
	}
	for _, p := range parcels {
		if u.settle(p, byID[p.file.id]) {
			settled++
		} else {
			u.held[p.file.id] = u.link.now().Add(holdBack)
		}
	}
	if err := u.link.trace.save(); err != nil {
		u.link.log.Warn("cannot keep the trace of what was sent", "error", err)
	}
	if err := u.sent.save(); err != nil {
		// Only a few payloads more next time.
		u.link.log.Warn("cannot keep which payloads were sent", "error", err)
	}
	return settled, nil
}

// settle does what a receipt says; none counts as no answer.
func (u *upload) settle(p parcel, r *constatv1.Receipt) bool {
	var err error
	switch r.GetStatus() {
	case statusStored:
		for _, g := range p.report.GetSnapshot().GetManifest().GetGroups() {
			u.sent.add(g.GetGroup(), g.GetPayloadHash())
		}
		u.link.trace.note(sentOf(p.report, r, u.link.now()))
		err = u.link.spool.remove(p.file)
	case statusMissing:
		if p.trimmed {
			u.sent.forget(p.report.GetSnapshot().GetManifest())
			u.whole[p.file.id] = true
			return true
		}
		r = &constatv1.Receipt{Id: p.file.id, Status: statusRefused,
			Reason: fmt.Sprintf("the collector misses %d payloads that the report names and does not hold", len(r.GetMissingHashes()))}
		err = u.link.spool.refuse(p.file, r.GetReason())
	case statusRefused:
		err = u.link.spool.refuse(p.file, r.GetReason())
	default:
		return false
	}
	delete(u.whole, p.file.id)
	delete(u.held, p.file.id)
	if err != nil {
		// It is sent again later, which is harmless.
		u.link.log.Error("cannot settle a report", "error", err)
		u.link.receipts.settle(r)
		return false
	}
	u.link.receipts.settle(r)
	return true
}

// receipts hands the collector's answers to who waits for them.
type receipts struct {
	mu      sync.Mutex
	waiting map[string][]chan *constatv1.Receipt
}

func (w *receipts) expect(id string) (<-chan *constatv1.Receipt, func()) {
	c := make(chan *constatv1.Receipt, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[string][]chan *constatv1.Receipt{}
	}
	w.waiting[id] = append(w.waiting[id], c)
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waiting[id] = slices.DeleteFunc(w.waiting[id], func(o chan *constatv1.Receipt) bool { return o == c })
		if len(w.waiting[id]) == 0 {
			delete(w.waiting, id)
		}
	}
}

func (w *receipts) settle(r *constatv1.Receipt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.waiting[r.GetId()] {
		c <- r // each has room for the one answer it gets
	}
	delete(w.waiting, r.GetId())
}
