package console

import (
	"bytes"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// articleStates and audiences, in the order of the form.
var (
	articleStates = []string{"draft", "published", "retired"}
	audiences     = []string{"team", "everybody"}
)

// prose turns what people write into what is shown. HTML in it is left out, and
// addresses that would run something are, too: goldmark does so unless told
// otherwise.
var prose = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify))

// markdown renders text by other people for a page. Whatever headings it has,
// the first stands at level top and none skips a level, so that the page keeps
// one outline.
func markdown(source string, top int) (template.HTML, error) {
	tree := prose.Parser().Parse(text.NewReader([]byte(source)))
	last, least := top-1, 0
	err := ast.Walk(tree, func(node ast.Node, entering bool) (ast.WalkStatus, error) {
		heading, is := node.(*ast.Heading)
		if !is || !entering {
			return ast.WalkContinue, nil
		}
		if least == 0 {
			least = heading.Level
		}
		heading.Level = min(max(top, heading.Level-least+top), last+1, 6)
		last = heading.Level
		return ast.WalkSkipChildren, nil
	})
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := prose.Renderer().Render(&out, []byte(source), tree); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil
}

// articlesView is the list of what the team wrote down.
type articlesView struct {
	Query, State string
	States       []string
	Articles     []*deskv1.Article
}

// Filtered tells whether the list is only a part.
func (a articlesView) Filtered() bool { return a.Query != "" || a.State != "" }

// articles lists what the team wrote down: what needs somebody first, then the
// newest change.
func (c *console) articles(w http.ResponseWriter, v *visit) error {
	form := v.URL.Query()
	view := articlesView{Query: form.Get("q"), State: form.Get("state"), States: articleStates}
	list, err := c.desk.Articles(v.Context(), v.actor(), &deskv1.ListArticlesRequest{Query: view.Query, State: view.State})
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b *deskv1.Article) int { return rank(a) - rank(b) })
	view.Articles = list
	return c.render(w, v, http.StatusOK, "articles", "articles", view)
}

// rank puts what needs somebody first.
func rank(a *deskv1.Article) int {
	if a.GetAttention() != "" {
		return 0
	}
	return 1
}

// articleView is an article as it is read.
type articleView struct {
	*deskv1.Article
	// Shown is the translation for the reader, and Others are the other ones.
	Shown  *deskv1.ArticleTranslation
	Others []*deskv1.ArticleTranslation
	HTML   template.HTML
	// Newest is the version in force, which may not be the one that is read.
	Newest   int32
	Versions []*deskv1.Article
	Ratings  []*deskv1.ArticleRating
	// Changes is what this version changed against the one before it.
	Changes  []changedLine
	MayWrite bool
}

// Old tells whether a version is read that another one replaced.
func (a articleView) Old() bool { return a.GetVersion() != a.Newest }

// article shows an article, or one of its old versions with what it changed.
func (c *console) article(w http.ResponseWriter, v *visit) error {
	version, _ := strconv.ParseInt(v.FormValue("version"), 10, 32)
	found, err := c.desk.Article(v.Context(), v.actor(), &deskv1.GetArticleRequest{Id: v.PathValue("id"), Version: int32(version)})
	if err != nil {
		return err
	}
	view := articleView{
		Article: found.GetArticle(), Versions: found.GetVersions(), Ratings: found.GetRatings(), MayWrite: v.user.Role != "requester",
		Newest: found.GetArticle().GetVersion(),
	}
	if len(view.Versions) > 0 {
		view.Newest = view.Versions[0].GetVersion()
	}
	wanted := v.FormValue("language")
	if wanted == "" {
		wanted = v.speech.language
	}
	view.Shown = translation(view.Article, wanted)
	for _, t := range view.GetText().GetTranslations() {
		if t != view.Shown {
			view.Others = append(view.Others, t)
		}
	}
	if view.HTML, err = markdown(view.Shown.GetBody(), 2); err != nil {
		return err
	}
	if version > 1 {
		before, err := c.desk.Article(v.Context(), v.actor(), &deskv1.GetArticleRequest{Id: view.GetId(), Version: int32(version) - 1})
		if err != nil {
			return err
		}
		view.Changes = changedLines(sourceOf(before.GetArticle(), view.Shown.GetLanguage()), sourceOf(view.Article, view.Shown.GetLanguage()))
	}
	return c.render(w, v, http.StatusOK, "article", "articles", view)
}

// sourceOf is what an article says in a language, as lines; none where it is not
// written in it.
func sourceOf(a *deskv1.Article, language string) []string {
	for _, t := range a.GetText().GetTranslations() {
		if t.GetLanguage() == language {
			return append([]string{t.GetTitle()}, strings.Split(strings.ReplaceAll(t.GetBody(), "\r\n", "\n"), "\n")...)
		}
	}
	return nil
}

// translation picks what a reader of a language gets: theirs, else English, else
// the first.
func translation(a *deskv1.Article, language string) *deskv1.ArticleTranslation {
	all := a.GetText().GetTranslations()
	for _, wanted := range []string{language, "en"} {
		for _, t := range all {
			if t.GetLanguage() == wanted {
				return t
			}
		}
	}
	if len(all) == 0 {
		return &deskv1.ArticleTranslation{}
	}
	return all[0]
}

// articleForm is an article as it is written.
type articleForm struct {
	*deskv1.Article
	// Translations has one for each language of the console, empty or not, and
	// those of other languages that are there.
	Translations []*deskv1.ArticleTranslation
	// Faults and ReviewDay are as they were typed.
	Faults, ReviewDay string
	Owners            []string
	AllFaults         []faultName
	States, Audiences []string
	Problem           string
	Previews          []preview
	// Theirs is what others saved since the writer began.
	Theirs []changedLine
}

// faultName is a fault for a list to choose from.
type faultName struct{ ID, Title string }

// preview is what a text will look like.
type preview struct {
	Language, Title string
	HTML            template.HTML
	// Changes are against the version in force.
	Changes []changedLine
}

// newArticle is an empty form, or one filled from a solved ticket.
func (c *console) newArticle(w http.ResponseWriter, v *visit) error {
	if v.user.Role == "requester" {
		return desk.ErrForbidden
	}
	one := &deskv1.Article{Id: uuid.Must(uuid.NewV7()).String(), State: "draft", Audience: "team", Owner: v.user.Name}
	if number, err := strconv.ParseInt(v.FormValue("ticket"), 10, 32); err == nil {
		if one, err = c.desk.ArticleFrom(v.Context(), int32(number), v.speech.language); err != nil {
			return err
		}
		one.Owner = v.user.Name
	}
	return c.renderArticleForm(w, v, http.StatusOK, formOfArticle(one))
}

// editArticle is the form of an article; ?version= begins with an old one, to
// take back what came after it.
func (c *console) editArticle(w http.ResponseWriter, v *visit) error {
	if v.user.Role == "requester" {
		return desk.ErrForbidden
	}
	version, _ := strconv.ParseInt(v.FormValue("version"), 10, 32)
	found, err := c.desk.Article(v.Context(), v.actor(), &deskv1.GetArticleRequest{Id: v.PathValue("id"), Version: int32(version)})
	if err != nil {
		return err
	}
	one := found.GetArticle()
	one.Note = ""
	if newest := found.GetVersions()[0].GetVersion(); newest != one.GetVersion() {
		one.Note = v.say("article.back", "Version", one.GetVersion())
		one.Version = newest
	}
	return c.renderArticleForm(w, v, http.StatusOK, formOfArticle(one))
}

func formOfArticle(one *deskv1.Article) articleForm {
	form := articleForm{Article: one, Translations: one.GetText().GetTranslations(), Faults: strings.Join(one.GetText().GetFaults(), ", ")}
	if at := one.GetReviewAt(); at != nil {
		form.ReviewDay = at.AsTime().Local().Format(dayForm)
	}
	return form
}

func (c *console) renderArticleForm(w http.ResponseWriter, v *visit, status int, form articleForm) error {
	form.Translations = inEach(v.speech, form.Translations, func(language string) *deskv1.ArticleTranslation {
		return &deskv1.ArticleTranslation{Language: language}
	})
	form.States, form.Audiences = articleStates, audiences
	if !mayLead(v) && form.GetAudience() != "everybody" {
		form.Audiences = audiences[:1]
	}
	for _, f := range c.catalog.Faults() {
		form.AllFaults = append(form.AllFaults, faultName{f.ID, f.Title.In(v.speech.language)})
	}
	var err error
	if form.Owners, err = c.assignees(v, form.GetOwner()); err != nil {
		return err
	}
	return c.render(w, v, status, "article-edit", "articles", form)
}

// saveArticle keeps what the form says, or shows what it will look like.
func (c *console) saveArticle(w http.ResponseWriter, v *visit) error {
	if err := v.ParseForm(); err != nil {
		return err
	}
	form := c.readArticle(v)
	if v.PostForm.Has("preview") {
		newest := &deskv1.Article{}
		if form.GetVersion() > 0 {
			found, err := c.desk.Article(v.Context(), v.actor(), &deskv1.GetArticleRequest{Id: form.GetId()})
			if err != nil {
				return err
			}
			newest = found.GetArticle()
		}
		for _, t := range form.GetText().GetTranslations() {
			if strings.TrimSpace(t.GetTitle()+t.GetBody()) == "" {
				continue
			}
			html, err := markdown(t.GetBody(), 3)
			if err != nil {
				return err
			}
			one := preview{Language: t.GetLanguage(), Title: t.GetTitle(), HTML: html}
			if before := sourceOf(newest, t.GetLanguage()); len(before) > 0 {
				one.Changes = changedLines(before, sourceOf(form.Article, t.GetLanguage()))
			}
			form.Previews = append(form.Previews, one)
		}
		return c.renderArticleForm(w, v, http.StatusOK, form)
	}
	if form.Problem != "" {
		return c.renderArticleForm(w, v, http.StatusUnprocessableEntity, form)
	}
	saved, err := c.desk.SaveArticle(v.Context(), v.actor(), form.Article)
	switch {
	case errors.Is(err, desk.ErrInvalid):
		form.Problem = err.Error()
		return c.renderArticleForm(w, v, http.StatusUnprocessableEntity, form)
	case errors.Is(err, desk.ErrConflict):
		form.Problem = v.say("article.conflict")
		if err := c.meanwhile(v, &form); err != nil {
			return err
		}
		return c.renderArticleForm(w, v, http.StatusConflict, form)
	case err != nil:
		return err
	}
	return c.back(w, v, "/articles/"+saved.GetId(), "flash.saved", "article-"+saved.GetId())
}

// meanwhile puts beside a form what others saved since its writer began: saving
// again is on top of that.
func (c *console) meanwhile(v *visit, form *articleForm) error {
	now, err := c.desk.Article(v.Context(), v.actor(), &deskv1.GetArticleRequest{Id: form.GetId()})
	if err != nil {
		return err
	}
	seen, err := c.desk.Article(v.Context(), v.actor(), &deskv1.GetArticleRequest{Id: form.GetId(), Version: form.GetVersion()})
	if err != nil && !errors.Is(err, desk.ErrNotFound) {
		return err
	}
	for _, t := range now.GetArticle().GetText().GetTranslations() {
		form.Theirs = append(form.Theirs, changedLines(sourceOf(seen.GetArticle(), t.GetLanguage()), sourceOf(now.GetArticle(), t.GetLanguage()))...)
	}
	form.Version = now.GetArticle().GetVersion()
	return nil
}

// readArticle reads the form.
func (c *console) readArticle(v *visit) articleForm {
	version, _ := strconv.ParseInt(v.PostFormValue("version"), 10, 32)
	ticket, _ := strconv.ParseInt(v.PostFormValue("ticket"), 10, 32)
	one := &deskv1.Article{
		Id: v.PathValue("id"), State: v.PostFormValue("state"), Audience: v.PostFormValue("audience"), Owner: v.PostFormValue("owner"),
		Version: int32(version), Ticket: int32(ticket), Note: v.PostFormValue("note"), Text: &deskv1.ArticleText{},
	}
	form := articleForm{Article: one, Faults: v.PostFormValue("faults"), ReviewDay: strings.TrimSpace(v.PostFormValue("review"))}
	if form.ReviewDay != "" {
		at, err := time.ParseInLocation(dayForm, form.ReviewDay, time.Local)
		if err != nil {
			form.Problem = v.say("article.reviewWrong")
		} else {
			one.ReviewAt = timestamppb.New(at)
		}
	}
	one.Text.Faults = strings.FieldsFunc(form.Faults, func(r rune) bool { return r == ',' || r == ' ' || r == ';' || r == '\n' })
	tongues, titles, bodies := v.PostForm["language"], v.PostForm["title"], v.PostForm["body"]
	for i := range min(len(tongues), len(titles), len(bodies)) {
		t := &deskv1.ArticleTranslation{Language: tongues[i], Title: titles[i], Body: bodies[i]}
		form.Translations = append(form.Translations, t)
		one.Text.Translations = append(one.Text.Translations, t)
	}
	return form
}

// rateArticle keeps what a reader says.
func (c *console) rateArticle(w http.ResponseWriter, v *visit) error {
	version, _ := strconv.ParseInt(v.PostFormValue("version"), 10, 32)
	id := v.PathValue("id")
	err := c.desk.RateArticle(v.Context(), v.actor(), &deskv1.RateArticleRequest{
		Id: id, Version: int32(version), Helped: v.PostFormValue("helped") == "yes", Unclear: v.PostFormValue("unclear"),
	})
	if err != nil {
		return err
	}
	return c.back(w, v, "/articles/"+id, "flash.thanks", "")
}

// changedLine is a line of a text that was taken away, came, or stayed.
type changedLine struct {
	// Kind is gone | new | same.
	Kind, Text string
}

// changedLines compares two texts line by line; what is far from any change is
// left out.
func changedLines(before, after []string) []changedLine {
	text := func(lines []string) []byte {
		if len(lines) == 0 {
			return nil
		}
		return []byte(strings.Join(lines, "\n") + "\n")
	}
	var near []changedLine
	begun := false
	for line := range strings.Lines(string(diff.Diff("before", text(before), "after", text(after)))) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "@@") {
			begun = true // names of the texts stand before
		} else if kind := map[byte]string{'-': "gone", '+': "new", ' ': "same"}[(line + "\n")[0]]; begun && kind != "" {
			near = append(near, changedLine{kind, line[1:]})
		}
	}
	return near
}
