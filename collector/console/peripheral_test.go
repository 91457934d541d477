package console

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/internal/snapshot"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// plugIn lets a machine tell of a device on its USB, and gives the id of that.
func (b *bench) plugIn(endpoint, product string) string {
	b.Helper()
	s := &constatv1.Snapshot{
		Manifest: &constatv1.Manifest{Id: newID(), EndpointId: endpoint, TakenAt: timestamppb.Now(), Groups: []*constatv1.GroupEntry{{Group: "usb", Observation: &constatv1.Observation{Status: "observed"}}}},
		Usb: &constatv1.Usb{Devices: []*constatv1.UsbDevice{{
			Path: proto.String("1-2"), Id: proto.String("0b0e:2453"), Brand: proto.String("Jabra"), Product: &product, Serial: proto.String("50C27512" + product), Class: proto.String("audio"),
		}}},
	}
	snapshot.Seal(s)
	b.upload(endpoint, factsReport(s))
	all, err := b.desk.PeripheralsAt(b.Context(), endpoint)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range all {
		if p.Model == product {
			return p.ID
		}
	}
	b.Fatalf("the machine has %v", all)
	return ""
}

// headsetDiagnosis is of a machine whose headset was refused.
func headsetDiagnosis(id, snapshot string, now time.Time) *constatv1.Diagnosis {
	d := printerDiagnosis(id, snapshot, now)
	d.Procedure = "peripheral"
	d.RootCauses = []*constatv1.RootCause{{
		Fault: "usb-driver-missing", Certainty: "confirmed", Urgency: "normal", Domain: "usb", Title: "No driver", Component: "Evolve2 65", Brand: "Jabra",
		Evidence: []*constatv1.Evidence{{Fact: "usb.devices[1-2].configured", Value: "false", Source: "sysfs", At: timestamppb.New(now)}},
	}}
	return d
}

// headsetAt is a machine whose user cannot hear, and gives the number of their
// ticket.
func (b *bench) headsetAt(name string) (endpoint string, number int32, peripheral string) {
	b.Helper()
	endpoint, _ = b.machineAsks(name, "Yann Le Goff", "first of all", "internet", dnsDiagnosis)
	peripheral = b.plugIn(endpoint, "Evolve2 65")
	d := headsetDiagnosis(newID(), "", time.Now())
	receipts := b.upload(endpoint, diagnosisReport(d), &constatv1.Report{Content: &constatv1.Report_Ticket{Ticket: &constatv1.TicketDraft{
		Id: newID(), Complaint: "peripheral", Text: "my headset", Requester: &constatv1.Person{Name: "Yann Le Goff"}, DiagnosisId: d.GetId(), Language: "en", Channel: "tray",
	}}})
	return endpoint, receipts[1].GetTicketNumber(), peripheral
}

// What a device has had at one machine is found from its ticket at another.
func TestPeripheralPage(t *testing.T) {
	b := newBench(t)
	lea := b.as("lea")
	var numbers []int32
	var endpoints []string
	for _, name := range []string{"accueil-1", "accueil-2"} {
		endpoint, number, _ := b.headsetAt(name)
		numbers, endpoints = append(numbers, number), append(endpoints, endpoint)
	}
	found, err := b.desk.Ticket(t.Context(), numbers[0])
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.desk.Update(t.Context(), desk.System, &deskv1.UpdateTicketRequest{
		Number: numbers[0], Version: found.GetTicket().GetVersion(), Status: proto.String("solved"), Resolution: proto.String("Took the maker's <b>driver</b>"),
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.desk.PeripheralsIn(t.Context(), numbers[1])
	if err != nil || len(all) != 1 {
		t.Fatalf("it is about %v (%v)", all, err)
	}
	page := "/peripherals/" + all[0].ID
	for _, from := range []string{fmt.Sprint("/tickets/", numbers[1]), "/endpoints/" + endpoints[1]} {
		lea.wants(lea.get(from), http.StatusOK, `href="`+page+`"`, "Jabra Evolve2 65")
	}
	lea.wants(lea.get(page), http.StatusOK, "Jabra Evolve2 65", "50C27512", "accueil-1", "accueil-2", fmt.Sprint("#", numbers[0]), fmt.Sprint("#", numbers[1]),
		"What helped", "Took the maker&#39;s &lt;b&gt;driver&lt;/b&gt;", "1 under way")
	lea.wants(lea.get(page, "Accept-Language", "fr", "Cookie", "constat-language=fr"), http.StatusOK, "Ce qui a aidé", "Utilisé avec")
	// The same summary stands with the person and the machine.
	lea.wants(lea.get("/people/"+found.GetTicket().GetRequester().GetId()), http.StatusOK, "What helped", "driver")
	lea.wants(lea.get("/endpoints/"+endpoints[0]), http.StatusOK, "What helped", "driver")
	lea.wants(lea.get("/peripherals/nothing"), http.StatusNotFound)
}
