package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// deliveryView is the page of how mails and webhooks go.
type deliveryView struct {
	*deskv1.GetDeliveryResponse
	Securities, Kinds []string
	// Problem is what is wrong with what was typed, Said what was done.
	Problem, Said string
	// Secret of the webhook Name, which is shown once.
	Name, Secret string
	// Webhook is what was typed into the form.
	Webhook *deskv1.Webhook
	// TestTo is where the test mail goes.
	TestTo string
}

// HasKind tells whether the form's webhook is told of a kind.
func (v deliveryView) HasKind(kind string) bool {
	for _, k := range v.Webhook.GetKinds() {
		if k == kind {
			return true
		}
	}
	return false
}

// delivery shows how mails and webhooks go.
func (c *console) delivery(w http.ResponseWriter, v *visit) error {
	return c.renderDelivery(w, v, http.StatusOK, deliveryView{})
}

func (c *console) renderDelivery(w http.ResponseWriter, v *visit, status int, view deliveryView) error {
	state, err := c.courier.State(v.Context(), v.actor())
	if err != nil {
		return err
	}
	if view.GetDeliveryResponse != nil { // what was typed and could not be kept
		state.Mail = view.Mail
	}
	view.GetDeliveryResponse = state
	view.Securities, view.Kinds = []string{"starttls", "tls", "none"}, desk.NoticeKinds
	if view.TestTo == "" {
		view.TestTo = v.user.Mail
	}
	return c.render(w, v, status, "delivery", "team", view)
}

// explainDelivery shows the page with what was wrong, unless that is no fault of
// the form.
func (c *console) explainDelivery(w http.ResponseWriter, v *visit, view deliveryView, err error) error {
	if !errors.Is(err, desk.ErrInvalid) {
		return err
	}
	view.Problem = err.Error()
	return c.renderDelivery(w, v, http.StatusUnprocessableEntity, view)
}

// setMailServer keeps what the form says of the mail server.
func (c *console) setMailServer(w http.ResponseWriter, v *visit) error {
	port, err := strconv.ParseInt(strings.TrimSpace(v.PostFormValue("port")), 10, 32)
	if err != nil && strings.TrimSpace(v.PostFormValue("port")) != "" {
		port = -1
	}
	r := &deskv1.SetMailServerRequest{Mail: &deskv1.MailServer{
		Host: v.PostFormValue("host"), Port: int32(port), Security: v.PostFormValue("security"), Username: v.PostFormValue("username"), From: v.PostFormValue("from"),
	}}
	if password := v.PostFormValue("password"); password != "" {
		r.Password = proto.String(password)
	}
	if _, err := c.courier.SetMailServer(v.Context(), v.actor(), r); err != nil {
		return c.explainDelivery(w, v, deliveryView{GetDeliveryResponse: &deskv1.GetDeliveryResponse{Mail: r.Mail}}, err)
	}
	return c.back(w, v, "/delivery", "flash.saved", "")
}

// testMail sends one mail and says what became of it.
func (c *console) testMail(w http.ResponseWriter, v *visit) error {
	view := deliveryView{TestTo: v.PostFormValue("to")}
	if err := c.courier.SendTestMail(v.Context(), v.actor(), view.TestTo); err != nil {
		return c.explainDelivery(w, v, view, err)
	}
	view.Said = v.say("delivery.test.sent", "To", view.TestTo)
	return c.renderDelivery(w, v, http.StatusOK, view)
}

// retryDelivery tries again what did not go.
func (c *console) retryDelivery(w http.ResponseWriter, v *visit) error {
	if _, err := c.courier.Retry(v.Context(), v.actor()); err != nil {
		return err
	}
	return c.back(w, v, "/delivery", "flash.retried", "")
}

// putWebhook keeps what the form says of a webhook, and shows its secret once.
func (c *console) putWebhook(w http.ResponseWriter, v *visit) error {
	if err := v.ParseForm(); err != nil {
		return err
	}
	r := &deskv1.PutWebhookRequest{NewSecret: v.PostForm.Has("renew"), Webhook: &deskv1.Webhook{
		Name: v.PostFormValue("name"), Url: v.PostFormValue("url"), Kinds: v.PostForm["kind"], Inside: v.PostForm.Has("inside"),
		Sites: linesOf(v.PostFormValue("sites")),
	}}
	kept, secret, err := c.courier.PutWebhook(v.Context(), v.actor(), r)
	if err != nil {
		return c.explainDelivery(w, v, deliveryView{Webhook: r.Webhook}, err)
	}
	if secret == "" {
		return c.back(w, v, "/delivery", "flash.saved", "")
	}
	return c.renderDelivery(w, v, http.StatusOK, deliveryView{Name: kept.GetName(), Secret: secret})
}

// deleteWebhook ends one.
func (c *console) deleteWebhook(w http.ResponseWriter, v *visit) error {
	if err := c.courier.DeleteWebhook(v.Context(), v.actor(), v.PathValue("name")); err != nil {
		return err
	}
	return c.back(w, v, "/delivery", "flash.saved", "")
}
