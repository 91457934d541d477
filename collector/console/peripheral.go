package console

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// peripheralView is the page of a device that people plug in or print on.
type peripheralView struct {
	*desk.Peripheral
	Machines []desk.MachineOf
	History  []desk.Recurrence
	Tickets  []*constatv1.Ticket
	// Older is the address of the next page; empty: this is the last.
	Older string
}

// peripheral shows what a device has had, at whatever machine it was.
func (c *console) peripheral(w http.ResponseWriter, v *visit) error {
	found, machines, err := c.desk.Peripheral(v.Context(), v.PathValue("id"))
	if err != nil {
		return err
	}
	view := peripheralView{Peripheral: found, Machines: machines}
	of := desk.Subject{Peripheral: found.ID}
	if view.History, err = c.desk.History(v.Context(), of); err != nil {
		return err
	}
	before, _ := strconv.ParseInt(v.URL.Query().Get("before"), 10, 32)
	if view.Tickets, err = c.desk.TicketsAbout(v.Context(), of, int32(before), ticketsPerPage+1); err != nil {
		return err
	}
	if len(view.Tickets) > ticketsPerPage {
		view.Tickets = view.Tickets[:ticketsPerPage]
		view.Older = fmt.Sprintf("/peripherals/%s?before=%d", found.ID, view.Tickets[ticketsPerPage-1].GetNumber())
	}
	return c.render(w, v, http.StatusOK, "peripheral", "endpoints", view)
}

// peripheralName is what people call a device.
func (s *speech) peripheralName(p *desk.Peripheral) string {
	if p.Model == "" {
		return cmp.Or(p.Brand, s.word("peripheral", p.Kind))
	}
	return model(&deskv1.Endpoint{Manufacturer: p.Brand, Model: p.Model})
}
