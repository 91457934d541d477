package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// noticesView is what somebody was told.
type noticesView struct {
	Notices []*deskv1.Notice
	Unread  int32
	// Zone is by whose clock the reader reads times that are planned.
	Zone *time.Location
}

// notices lists what the visitor was told, the newest first.
func (c *console) notices(w http.ResponseWriter, v *visit) error {
	list, err := c.desk.Notices(v.Context(), v.actor())
	if err != nil {
		return err
	}
	reader, err := c.desk.Reader(v.Context(), v.user.ID)
	if err != nil {
		return err
	}
	view := noticesView{list.GetNotices(), list.GetUnread(), reader.Zone}
	if view.Zone == nil {
		view.Zone = time.Local
	}
	return c.render(w, v, http.StatusOK, "notices", "notices", view)
}

// noticeText is what a notice says beside its kind.
func (s *speech) noticeText(n *deskv1.Notice, zone *time.Location) string {
	switch n.GetKind() {
	case desk.ToldWarned, desk.ToldMissed, desk.ToldEscalated:
		return s.say("service." + n.GetText())
	case desk.ToldAnnounced:
		what, when, _ := strings.Cut(n.GetText(), ": ")
		if from, until, ok := desk.AnnouncedFor(when); ok {
			when = fromTo(from.In(zone), until.In(zone))
		}
		return s.word("announced", what) + s.say("colon") + " " + when
	}
	if _, said := writing(n); said != "" {
		return said
	}
	return n.GetText()
}

// writing is where what a notice of something unclear is about stands, and what was
// said of it.
func writing(n *deskv1.Notice) (address, said string) {
	if n.GetKind() != desk.ToldUnclear {
		return "", ""
	}
	address, said, _ = strings.Cut(n.GetText(), " ")
	return inside(address), said
}

// readNotices marks all as read.
func (c *console) readNotices(w http.ResponseWriter, v *visit) error {
	if _, err := c.desk.ReadNotices(v.Context(), v.actor(), 0); err != nil {
		return err
	}
	http.Redirect(w, v.Request, "/notices", http.StatusSeeOther)
	return nil
}

// mailRuleView is the page of what somebody wants by mail.
type mailRuleView struct {
	*deskv1.NoticeRule
	Kinds   []kindChoice
	Problem string
}

// kindChoice is a kind of notice and whether it comes by mail.
type kindChoice struct {
	Kind   string
	Mailed bool
}

// noticeRule shows what the visitor wants by mail, and when not.
func (c *console) noticeRule(w http.ResponseWriter, v *visit) error {
	rule, err := c.desk.NoticeRule(v.Context(), v.actor())
	if err != nil {
		return err
	}
	return c.renderRule(w, v, http.StatusOK, rule, "")
}

func (c *console) renderRule(w http.ResponseWriter, v *visit, status int, rule *deskv1.NoticeRule, problem string) error {
	view := mailRuleView{NoticeRule: rule, Problem: problem}
	for _, kind := range desk.NoticeKinds {
		if kind != desk.ToldUndelivered { // of that the console alone tells
			view.Kinds = append(view.Kinds, kindChoice{kind, !slices.Contains(rule.GetNotMailed(), kind)})
		}
	}
	return c.render(w, v, status, "notice-rule", "notices", view)
}

// setNoticeRule keeps what the form says.
func (c *console) setNoticeRule(w http.ResponseWriter, v *visit) error {
	if err := v.ParseForm(); err != nil {
		return err
	}
	rule := &deskv1.NoticeRule{
		Mail: v.PostFormValue("mail"), Zone: v.PostFormValue("zone"), QuietFrom: v.PostFormValue("from"), QuietUntil: v.PostFormValue("until"),
		QuietWeekend: v.PostForm.Has("weekend"),
	}
	for _, kind := range desk.NoticeKinds {
		if kind != desk.ToldUndelivered && !slices.Contains(v.PostForm["kind"], kind) {
			rule.NotMailed = append(rule.NotMailed, kind)
		}
	}
	_, err := c.desk.SetNoticeRule(v.Context(), v.actor(), rule)
	if errors.Is(err, desk.ErrInvalid) {
		return c.renderRule(w, v, http.StatusUnprocessableEntity, rule, err.Error())
	}
	if err != nil {
		return err
	}
	return c.back(w, v, "/notices/rule", "flash.saved", "")
}
