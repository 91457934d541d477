package console

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// What can be chosen on a ticket's page, as UpdateTicketRequest and
// LinkTicketsRequest list it.
var (
	linkKinds = []string{"parent", "child", "duplicateOf", "duplicate", "related"}
	types     = []string{"incident", "request"}
	impacts   = []string{"low", "normal", "high"}
	urgencies = []string{"low", "normal", "high", "critical"}
)

// link says how a ticket and the one whose number was typed belong together, or
// that they do not.
func (c *console) link(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	written := reply{LinkKind: v.PostFormValue("kind"), LinkTo: strings.TrimSpace(v.PostFormValue("other"))}
	refuse := func(status int, why string) error {
		written.LinkProblem = why
		return c.renderTicket(w, v, status, number, written)
	}
	other, err := strconv.ParseInt(strings.TrimPrefix(written.LinkTo, "#"), 10, 32)
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, v.say("linked.noNumber"))
	}
	_, err = c.desk.Link(v.Context(), v.actor(), &deskv1.LinkTicketsRequest{Number: number, Kind: written.LinkKind, Other: int32(other)})
	switch {
	case errors.Is(err, desk.ErrInvalid), errors.Is(err, desk.ErrNotFound):
		return refuse(http.StatusUnprocessableEntity, err.Error())
	case errors.Is(err, desk.ErrConflict):
		return refuse(http.StatusConflict, err.Error())
	case err != nil:
		return err
	}
	return c.back(w, v, fmt.Sprintf("/tickets/%d", number), "flash.saved", "")
}

// split makes what was ticked a ticket of its own, and shows that.
func (c *console) split(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	version, _ := strconv.ParseInt(v.PostFormValue("version"), 10, 32)
	written := reply{SplitID: v.PostFormValue("id"), SplitTitle: v.PostFormValue("title"), Chosen: v.PostForm["part"]}
	made, err := c.desk.Split(v.Context(), v.actor(), &deskv1.SplitTicketRequest{
		Number: number, Version: int32(version), Id: written.SplitID, Title: written.SplitTitle, Entries: written.Chosen,
	})
	for kind, status := range map[error]int{desk.ErrInvalid: http.StatusUnprocessableEntity, desk.ErrConflict: http.StatusConflict} {
		if errors.Is(err, kind) {
			written.SplitProblem = err.Error()
			return c.renderTicket(w, v, status, number, written)
		}
	}
	if err != nil {
		return err
	}
	return c.back(w, v, fmt.Sprintf("/tickets/%d", made.GetNumber()), "flash.split", "")
}

// IsChosen tells whether an entry was ticked.
func (r reply) IsChosen(id string) bool { return slices.Contains(r.Chosen, id) }

// harmless are the media types that a file is sent as; every other is sent as
// bytes without a type.
var harmless = []string{"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "application/zip"}

// file sends a file of a ticket for the visitor to keep: browsers must never show
// it as a page of ours.
func (c *console) file(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	found, err := c.desk.File(v.Context(), number, v.PathValue("id"))
	if err != nil {
		return err
	}
	kind := "application/octet-stream"
	if slices.Contains(harmless, found.GetType()) {
		kind = found.GetType()
	}
	sendFile(w, kind, mime.FormatMediaType("attachment", map[string]string{"filename": found.GetName()}), found.GetContent())
	return nil
}

// smallPicture sends the small picture of a file, which was made here from its
// pixels alone.
func (c *console) smallPicture(w http.ResponseWriter, v *visit) error {
	number, err := ticketNumber(v)
	if err != nil {
		return err
	}
	content, err := c.desk.Thumbnail(v.Context(), number, v.PathValue("id"))
	if err != nil {
		return err
	}
	sendFile(w, http.DetectContentType(content), "inline", content)
	return nil
}

// sendFile writes bytes that somebody else made.
func sendFile(w http.ResponseWriter, kind, disposition string, content []byte) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", disposition)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "private, max-age=3600")
	_, _ = w.Write(content) // the visitor left: nobody to tell
}
