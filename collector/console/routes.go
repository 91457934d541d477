package console

import (
	"net/http"
	"slices"
	"strings"

	"constat/collector/desk"
)

// contentSecurityPolicy allows what the console brings itself and nothing else.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// maxForm bounds what a form may carry, in bytes, and maxUpload one with files: a
// pasted text of some size beside them, so that its writer gets it back.
const (
	maxForm   = 1 << 20
	maxUpload = desk.MaxFilesSize + 12<<20
)

// routes is every address of the console.
func (c *console) routes() http.Handler {
	pages := http.NewServeMux()

	pages.Handle("GET /sign-in", c.open(c.showSignIn))
	pages.Handle("POST /sign-in", c.open(c.signIn))
	pages.Handle("GET /sign-in/link/{token}", c.open(c.showLink))
	pages.Handle("POST /sign-in/link/{token}", c.open(c.redeemLink))
	pages.Handle("POST /language", c.open(c.setLanguage))

	pages.Handle("GET /{$}", http.RedirectHandler("/tickets", http.StatusSeeOther))
	pages.Handle("GET /password", c.anybody(c.showPassword))
	pages.Handle("POST /password", c.anybody(c.setPassword))
	pages.Handle("POST /sign-out", c.anybody(c.signOut))

	pages.Handle("GET /tickets", c.signedIn(c.queue))
	pages.Handle("POST /tickets", c.signedIn(c.createTicket))
	pages.Handle("GET /tickets/new", c.signedIn(c.newTicket))
	pages.Handle("POST /tickets/bulk", c.signedIn(c.bulk))
	pages.Handle("POST /undo", c.signedIn(c.undo))
	pages.Handle("POST /views", c.signedIn(c.putView))
	pages.Handle("POST /views/{id}/delete", c.signedIn(c.deleteView))
	pages.Handle("GET /tickets/{number}", c.signedIn(c.ticket))
	pages.Handle("POST /tickets/{number}", c.signedIn(c.work))
	pages.Handle("POST /tickets/{number}/draft", c.signedIn(c.keepDraft))
	pages.Handle("POST /tickets/{number}/diagnose", c.signedIn(c.diagnoseTicket))
	pages.Handle("POST /tickets/{number}/remedy", c.signedIn(c.askRemedy))
	pages.Handle("POST /tickets/{number}/merge", c.signedIn(c.merge))
	pages.Handle("POST /tickets/{number}/split", c.signedIn(c.split))
	pages.Handle("POST /tickets/{number}/link", c.signedIn(c.link))
	pages.Handle("GET /tickets/{number}/files/{id}", c.signedIn(c.file))
	pages.Handle("GET /tickets/{number}/files/{id}/small", c.signedIn(c.smallPicture))
	pages.Handle("GET /tickets/{number}/events", c.signedIn(c.ticketEvents))

	pages.Handle("GET /events", c.signedIn(c.noticeEvents))
	pages.Handle("GET /notices", c.signedIn(c.notices))
	pages.Handle("POST /notices", c.signedIn(c.readNotices))
	pages.Handle("GET /notices/rule", c.signedIn(c.noticeRule))
	pages.Handle("POST /notices/rule", c.signedIn(c.setNoticeRule))

	pages.Handle("GET /people/{id}", c.signedIn(c.requester))

	pages.Handle("GET /endpoints", c.signedIn(c.endpoints))
	pages.Handle("GET /endpoints/{id}", c.signedIn(c.endpoint))
	pages.Handle("POST /endpoints/{id}/site", c.signedIn(c.setEndpointSite))
	pages.Handle("POST /endpoints/{id}/erase", c.signedIn(c.eraseEndpoint))
	pages.Handle("POST /endpoints/{id}/diagnose", c.signedIn(c.diagnoseEndpoint))
	pages.Handle("GET /endpoints/{id}/events", c.signedIn(c.endpointEvents))

	pages.Handle("GET /peripherals/{id}", c.signedIn(c.peripheral))

	pages.Handle("GET /gear", c.signedIn(c.devices))
	pages.Handle("GET /gear/{id}", c.signedIn(c.device))
	pages.Handle("GET /gear/{id}/ports/{port}", c.signedIn(c.devicePort))

	pages.Handle("GET /team", c.signedIn(c.team))
	pages.Handle("GET /team/{name}", c.signedIn(c.technician))
	pages.Handle("POST /team/{name}/sites", c.signedIn(c.setTechnicianSites))
	pages.Handle("POST /team/{name}", c.signedIn(c.setTechnician))

	pages.Handle("GET /service", c.signedIn(c.service))
	pages.Handle("POST /service", c.signedIn(c.setService))

	pages.Handle("GET /articles", c.signedIn(c.articles))
	pages.Handle("GET /articles/new", c.signedIn(c.newArticle))
	pages.Handle("GET /articles/{id}", c.signedIn(c.article))
	pages.Handle("POST /articles/{id}", c.signedIn(c.saveArticle))
	pages.Handle("GET /articles/{id}/edit", c.signedIn(c.editArticle))
	pages.Handle("POST /articles/{id}/rating", c.signedIn(c.rateArticle))

	pages.Handle("GET /answers", c.signedIn(c.answers))
	pages.Handle("GET /answers/new", c.signedIn(c.newAnswer))
	pages.Handle("GET /answers/{id}", c.signedIn(c.answer))
	pages.Handle("POST /answers/{id}", c.signedIn(c.saveAnswer))
	pages.Handle("POST /answers/{id}/delete", c.signedIn(c.deleteAnswer))
	pages.Handle("GET /tickets/{number}/answers", c.signedIn(c.ticketAnswers))

	pages.Handle("GET /procedures", c.signedIn(c.procedures))
	pages.Handle("GET /procedures/{id}", c.signedIn(c.procedure))
	pages.Handle("POST /procedures/{id}/rating", c.signedIn(c.rateProcedure))
	pages.Handle("GET /knowledge", c.signedIn(c.editKnowledge))
	pages.Handle("POST /knowledge", c.signedIn(c.tryKnowledge))
	pages.Handle("POST /knowledge/push", c.signedIn(c.pushKnowledge))
	pages.Handle("GET /knowledge/{revision}", c.signedIn(c.revision))
	pages.Handle("POST /knowledge/{revision}/release", c.signedIn(c.releaseKnowledge))
	pages.Handle("POST /knowledge/{revision}/rollback", c.signedIn(c.rollBackKnowledge))

	pages.Handle("GET /forms", c.signedIn(c.requestForms))
	pages.Handle("GET /forms/new", c.signedIn(c.newForm))
	pages.Handle("GET /forms/{id}", c.signedIn(c.requestForm))
	pages.Handle("POST /forms/{id}", c.signedIn(c.saveForm))
	pages.Handle("POST /tickets/{number}/check", c.signedIn(c.checkItem))

	pages.Handle("GET /maintenance", c.signedIn(c.maintenances))
	pages.Handle("GET /maintenance/new", c.signedIn(c.newMaintenance))
	pages.Handle("GET /maintenance/{id}", c.signedIn(c.maintenance))
	pages.Handle("POST /maintenance/{id}", c.signedIn(c.saveMaintenance))
	pages.Handle("POST /maintenance/{id}/end", c.signedIn(c.endMaintenance))
	pages.Handle("POST /maintenance/{id}/answer", c.signedIn(c.answerMaintenance))

	pages.Handle("GET /delivery", c.signedIn(c.delivery))
	pages.Handle("POST /delivery/mail", c.signedIn(c.setMailServer))
	pages.Handle("POST /delivery/test", c.signedIn(c.testMail))
	pages.Handle("POST /delivery/retry", c.signedIn(c.retryDelivery))
	pages.Handle("POST /delivery/webhooks", c.signedIn(c.putWebhook))
	pages.Handle("POST /delivery/webhooks/{name}/delete", c.signedIn(c.deleteWebhook))

	pages.Handle("GET /accounts", c.signedIn(c.showAccounts))
	pages.Handle("POST /accounts/{name}/remove", c.signedIn(c.removeAccount))
	pages.Handle("POST /accounts/{name}/restore", c.signedIn(c.restoreAccount))

	pages.Handle("GET /faults", c.signedIn(c.faults))
	pages.Handle("GET /faults/{id}", c.signedIn(c.fault))
	pages.Handle("GET /settings", c.signedIn(c.settings))
	pages.Handle("GET /style", c.signedIn(c.style))
	pages.Handle("/", c.signedIn(c.nothingHere))

	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(c.open(c.refuseCrossOrigin))

	all := http.NewServeMux()
	all.Handle("GET /static/{file}", http.HandlerFunc(serveStatic))
	all.Handle("/", c.sessions.LoadAndSave(limitForm(crossOrigin.Handler(pages))))
	return secure(all)
}

// secure sets the headers that every answer carries.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		// Addresses hold ticket numbers and one-time links.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// limitForm ends the reading of a form that is too large.
func limitForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxForm)
		long := slices.ContainsFunc([]string{"/tickets", "/articles", "/knowledge"}, func(part string) bool { return strings.HasPrefix(r.URL.Path, part) })
		if long && strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
			limit = maxUpload
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}
