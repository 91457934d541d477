package console

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"constat/collector/desk"
	faultcatalog "constat/internal/fault/catalog"
	"constat/internal/procedure"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// shownRevisions is how many revisions the list of procedures names.
const shownRevisions = 10

// proceduresView is the list of procedures, with what the team wrote itself.
type proceduresView struct {
	Procedures []procedureLine
	// Files are the team's files of faults, Domains those that it has none of yet.
	Files, Domains []string
	Revisions      []*deskv1.KnowledgeRevision
	MayPush        bool
}

// procedureLine is a procedure with the rates of the version in force.
type procedureLine struct {
	*deskv1.ProcedureUse
	Title   string
	Overdue bool
	Rate    *deskv1.ProcedureRate
}

// procedures lists the procedures and how they went, and what was pushed.
func (c *console) procedures(w http.ResponseWriter, v *visit) error {
	all, err := c.desk.Procedures(v.Context(), v.actor())
	if err != nil {
		return err
	}
	view := proceduresView{MayPush: mayPush(v)}
	for _, use := range all {
		view.Procedures = append(view.Procedures, c.procedureLine(v, use))
	}
	// What needs somebody comes first.
	slices.SortStableFunc(view.Procedures, func(a, b procedureLine) int {
		late := func(l procedureLine) int {
			if l.Overdue {
				return 0
			}
			return 1
		}
		return late(a) - late(b)
	})
	revisions, err := c.desk.KnowledgeRevisions(v.Context(), v.actor())
	if err != nil {
		return err
	}
	view.Revisions = revisions[:min(len(revisions), shownRevisions)]
	if len(revisions) > 0 {
		for _, f := range revisions[0].GetFiles() {
			if strings.HasPrefix(f.GetPath(), "faults/") {
				view.Files = append(view.Files, f.GetPath())
			}
		}
	}
	for _, file := range faultFiles() {
		if !slices.Contains(view.Files, file) {
			view.Domains = append(view.Domains, file)
		}
	}
	return c.render(w, v, http.StatusOK, "procedures", "procedures", view)
}

func (c *console) procedureLine(v *visit, use *deskv1.ProcedureUse) procedureLine {
	p := use.GetProcedure()
	l := procedureLine{ProcedureUse: use, Title: cmp.Or(v.speech.inLanguage(p.GetTitle()), p.GetId()), Rate: &deskv1.ProcedureRate{Version: p.GetVersion()}}
	if day, err := time.ParseInLocation(dayForm, p.GetReview(), time.Local); err == nil {
		l.Overdue = !day.After(c.now())
	}
	for _, r := range use.GetRates() {
		if r.GetVersion() == p.GetVersion() {
			l.Rate = r
		}
	}
	return l
}

// inLanguage is a text of a procedure in the language that is spoken.
func (s *speech) inLanguage(t *constatv1.Procedure_Text) string {
	if s.language == "fr" {
		return cmp.Or(t.GetFr(), t.GetEn())
	}
	return cmp.Or(t.GetEn(), t.GetFr())
}

// share is a part of a whole in percent, rounded half up; of nothing a dash.
func share(part, of int64) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%d %%", (200*part+of)/(2*of))
}

// faultFiles are the files of faults that a team can write.
func faultFiles() []string {
	names, _ := fs.Glob(faultcatalog.Files, "*.yaml")
	for i := range names {
		names[i] = "faults/" + names[i]
	}
	return names
}

// mayPush tells whether the visitor may give knowledge to machines: it is of no
// site.
func mayPush(v *visit) bool { return mayLead(v) && len(v.user.Sites) == 0 }

// procedureView is one procedure, as it is written, and how it went.
type procedureView struct {
	procedureLine
	Text   string
	Voices []*deskv1.ArticleRating
	// Drawings are what its steps show.
	Drawings []drawn
}

// drawn is a drawing in lines of the colour of the text, and what it shows.
type drawn struct {
	Name, Title string
	Lines       template.HTML
}

// procedure shows one.
func (c *console) procedure(w http.ResponseWriter, v *visit) error {
	found, err := c.desk.Procedure(v.Context(), v.actor(), v.PathValue("id"))
	if err != nil {
		return err
	}
	view := procedureView{procedureLine: c.procedureLine(v, found.GetUse()), Text: found.GetText(), Voices: found.GetVoices()}
	for _, d := range found.GetDrawings() {
		// Written anew by the compiler, of plain shapes without any text.
		view.Drawings = append(view.Drawings, drawn{d.GetName(), v.speech.inLanguage(d.GetTitle()), template.HTML(d.GetSvg())}) //nolint:gosec // see above
	}
	return c.render(w, v, http.StatusOK, "procedure", "procedures", view)
}

// rateProcedure keeps what a technician says of a procedure.
func (c *console) rateProcedure(w http.ResponseWriter, v *visit) error {
	version, _ := strconv.ParseInt(v.PostFormValue("version"), 10, 32)
	err := c.desk.RateProcedure(v.Context(), v.actor(), &deskv1.RateProcedureRequest{
		Id: v.PathValue("id"), Version: int32(version), Helped: v.PostFormValue("helped") == "yes", Unclear: v.PostFormValue("unclear"),
	})
	if err != nil {
		return err
	}
	return c.back(w, v, "/procedures/"+url.PathEscape(v.PathValue("id")), "flash.thanksProcedure", "")
}

// knowledgeForm is the editor of one file.
type knowledgeForm struct {
	// Named is the file that was opened; empty: a new procedure. Path is where it
	// lies, by its id where it is new.
	Named, Path, Text string
	// Revision is the newest that the writer saw.
	Revision int64
	// Own: the team has this file already.
	Own bool
	// Problem is why it could not be pushed.
	Problem string
	// Checked: the text was looked at, and Problems are what is wrong with it.
	Checked  bool
	Problems []problemAt
	// Changes are against what is in force; Preview, what it would have done; nil:
	// not asked for.
	Changes []changedLine
	Preview *deskv1.PreviewKnowledgeResponse
	// Theirs is what others did to the same file meanwhile.
	Theirs []changedLine
	Trial  *trialView
	Ring   ringForm
	// Part is the newest revision, where it is not for all machines.
	Part    *deskv1.KnowledgeRevision
	MayPush bool
}

// IsProcedure tells whether the file is a procedure, which can be walked through.
func (k knowledgeForm) IsProcedure() bool { return !strings.HasPrefix(k.Path, "faults/") }

// Draft names the text in the browser until it is sent.
func (k knowledgeForm) Draft() string { return "knowledge-" + cmp.Or(k.Named, "new") }

// ringForm is for which machines, as it was typed.
type ringForm struct{ Percent, Hosts, Note string }

// hosts gives the names that were typed, with lines, commas or spaces between.
func (r ringForm) hosts() []string {
	return strings.FieldsFunc(r.Hosts, func(r rune) bool { return r == ',' || r == ' ' || r == ';' || r == '\n' || r == '\r' || r == '\t' })
}

// percent reads the share of the machines.
func (r ringForm) percent(v *visit) (int32, error) {
	n, err := strconv.ParseInt(cmp.Or(strings.TrimSpace(r.Percent), "0"), 10, 32)
	if err != nil || n < 0 || n > 100 {
		return 0, errors.New(v.say("knowledge.percentWrong"))
	}
	return int32(n), nil
}

// problemAt is what is wrong, and where: a line of the file that is edited, or 0.
type problemAt struct {
	Line int
	Text string
}

// trialView is a walk through what is being written.
type trialView struct {
	*desk.Trial
	Machine, Language string
	// Problem is why there is no walk.
	Problem string
	Done    []trialStep
	Now     *trialStep
}

// trialStep is a step in the language of the person who is led.
type trialStep struct {
	// Taken is the step and its answer as the form carries them.
	Taken, Kind, Text, Answer string
	ByMachine                 bool
	Answers                   []trialAnswer
}

type trialAnswer struct{ Value, Label string }

// editKnowledge opens the editor of a file: ?file=, or a new procedure.
func (c *console) editKnowledge(w http.ResponseWriter, v *visit) error {
	form, err := c.knowledgeOf(v, v.FormValue("file"))
	if err != nil {
		return err
	}
	form.Ring.Percent = "10"
	return c.renderKnowledge(w, v, http.StatusOK, form)
}

// knowledgeOf fills the editor with what is in force.
func (c *console) knowledgeOf(v *visit, file string) (knowledgeForm, error) {
	newest, err := c.desk.KnowledgeAt(v.Context(), v.actor(), &deskv1.GetKnowledgeRequest{})
	if err != nil {
		return knowledgeForm{}, err
	}
	form := knowledgeForm{Named: file, Path: file, Revision: newest.GetRevision().GetRevision()}
	inForce, own, err := c.inForce(v, newest.GetRevision(), file)
	if err != nil {
		return form, err
	}
	form.Own = own
	switch {
	case file == "":
		form.Text = v.say("knowledge.template.procedure", "Name", v.user.Name, "Review", c.now().AddDate(0, 6, 0).Format(dayForm))
	case inForce != "" && form.IsProcedure():
		// What it says changes, and so does its version.
		form.Text = versionForm.ReplaceAllStringFunc(inForce, func(line string) string {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "version:")))
			if err != nil {
				return line
			}
			return fmt.Sprintf("version: %d", n+1)
		})
	case inForce != "":
		form.Text = inForce
	case file == "faults/terms.yaml":
		form.Text = v.say("knowledge.template.terms")
	case slices.Contains(faultFiles(), file):
		form.Text = v.say("knowledge.template.faults")
	default:
		return form, desk.ErrNotFound
	}
	return form, nil
}

var (
	versionForm = regexp.MustCompile(`(?m)^version: *[0-9]+ *$`)
	idForm      = regexp.MustCompile(`(?m)^id: *([a-z0-9-]+) *$`)
	placeForm   = regexp.MustCompile(`^([a-z0-9./_-]+):([0-9]+)(?::[0-9]+)?: `)
)

// inForce is the text of a file of a revision, or else the procedure of that name
// which ships; own: it is the team's.
func (c *console) inForce(v *visit, r *deskv1.KnowledgeRevision, file string) (text string, own bool, err error) {
	for _, f := range r.GetFiles() {
		if f.GetPath() == file {
			return f.GetText(), true, nil
		}
	}
	id, is := strings.CutPrefix(file, "procedures/")
	if !is {
		return "", false, nil
	}
	found, err := c.desk.Procedure(v.Context(), v.actor(), strings.TrimSuffix(id, ".md"))
	if errors.Is(err, desk.ErrNotFound) {
		return "", false, nil
	}
	return found.GetText(), false, err
}

// readKnowledge reads the form. A new procedure is named by its id.
func (c *console) readKnowledge(v *visit) (knowledgeForm, error) {
	if err := v.ParseForm(); err != nil {
		return knowledgeForm{}, err
	}
	form := knowledgeForm{
		Named: v.PostFormValue("file"), Path: v.PostFormValue("file"), Text: strings.ReplaceAll(v.PostFormValue("text"), "\r\n", "\n"),
		Ring: ringForm{v.PostFormValue("percent"), v.PostFormValue("hosts"), v.PostFormValue("note")},
	}
	form.Revision, _ = strconv.ParseInt(v.PostFormValue("revision"), 10, 64)
	if id := idForm.FindStringSubmatch(form.Text[:min(len(form.Text), 4<<10)]); form.Path == "" && id != nil {
		form.Path = "procedures/" + id[1] + ".md"
	}
	return form, nil
}

// change is what the form would change.
func (k knowledgeForm) change() *deskv1.KnowledgeChange {
	return &deskv1.KnowledgeChange{Put: []*deskv1.KnowledgeFile{{Path: cmp.Or(k.Path, "procedures/new.md"), Text: k.Text}}}
}

// locate finds the places of problems.
func (k knowledgeForm) locate(problems []string) []problemAt {
	var all []problemAt
	for _, p := range problems {
		at := problemAt{Text: p}
		if place := placeForm.FindStringSubmatch(p); place != nil && (path.Base(place[1]) == path.Base(k.Path) || k.Path == "") {
			at.Line, _ = strconv.Atoi(place[2])
		}
		all = append(all, at)
	}
	return all
}

// tryKnowledge looks at what is being written: what is wrong with it, what it would
// change and on which machines, or a walk through it. It keeps nothing.
func (c *console) tryKnowledge(w http.ResponseWriter, v *visit) error {
	form, err := c.readKnowledge(v)
	if err != nil {
		return err
	}
	newest, err := c.desk.KnowledgeAt(v.Context(), v.actor(), &deskv1.GetKnowledgeRequest{})
	if err != nil {
		return err
	}
	before, own, err := c.inForce(v, newest.GetRevision(), form.Path)
	if err != nil {
		return err
	}
	form.Own, form.Checked = own, true
	switch {
	case v.PostForm.Has("walk"):
		form.Trial, err = c.try(v, form)
		if form.Trial != nil {
			form.Problems = form.locate(form.Trial.Problems)
		}
	case v.PostForm.Has("preview"):
		form.Preview, err = c.desk.PreviewKnowledge(v.Context(), v.actor(), form.change())
		form.Problems = form.locate(form.Preview.GetProblems())
		if len(form.Problems) == 0 && form.Text != before {
			form.Changes = changedLines(splitLines(before), splitLines(form.Text))
		}
	default:
		var problems []string
		problems, err = c.desk.CheckKnowledge(v.Context(), v.actor(), form.change())
		form.Problems = form.locate(problems)
	}
	if err != nil {
		return err
	}
	return c.renderKnowledge(w, v, http.StatusOK, form)
}

// try takes a step of the walk that the form carries.
func (c *console) try(v *visit, form knowledgeForm) (*trialView, error) {
	view := &trialView{Machine: strings.TrimSpace(v.PostFormValue("machine")), Language: v.PostFormValue("tongue")}
	if !slices.Contains(languages, view.Language) {
		view.Language = v.speech.language
	}
	var taken []*constatv1.ProcedureRun_StepTaken
	steps := v.PostForm["taken"]
	if walk := v.PostFormValue("walk"); walk == "begin" {
		steps = nil
	} else if walk == "back" {
		// Back to what the person said last: the machine answers its own again.
		for len(steps) > 0 && strings.HasSuffix(steps[len(steps)-1], " machine") {
			steps = steps[:len(steps)-1]
		}
		steps = steps[:max(0, len(steps)-1)]
	} else {
		steps = append(steps, walk)
	}
	for _, s := range steps {
		if part := strings.Fields(s); len(part) == 3 {
			taken = append(taken, &constatv1.ProcedureRun_StepTaken{Step: part[0], Answer: part[1], By: part[2]})
		}
	}
	id := strings.TrimSuffix(strings.TrimPrefix(form.Path, "procedures/"), ".md")
	trial, err := c.desk.TryProcedure(v.Context(), v.actor(), form.change(), id, view.Machine, taken)
	if errors.Is(err, desk.ErrInvalid) || errors.Is(err, desk.ErrNotFound) {
		view.Trial, view.Problem = &desk.Trial{}, v.say("knowledge.noMachine")
		return view, nil
	}
	if err != nil {
		return nil, err
	}
	view.Trial = trial
	if len(trial.Problems) > 0 {
		view.Problem = v.say("knowledge.walkWrong")
		return view, nil
	}
	speech := c.speeches[view.Language]
	worded := func(s *constatv1.Procedure_Step) trialStep {
		return trialStep{Kind: s.GetKind(), Text: speech.inLanguage(s.GetText())}
	}
	for _, t := range trial.Taken {
		for _, s := range trial.Procedure.GetSteps() {
			if s.GetId() != t.GetStep() {
				continue
			}
			done := worded(s)
			done.Taken, done.Answer, done.ByMachine = t.GetStep()+" "+t.GetAnswer()+" "+t.GetBy(), t.GetAnswer(), t.GetBy() == "machine"
			for _, a := range s.GetAnswers() {
				if a.GetId() == t.GetAnswer() {
					done.Answer = cmp.Or(speech.inLanguage(a.GetLabel()), a.GetId())
				}
			}
			if done.Answer == procedure.Passed {
				done.Answer = speech.say("knowledge.nothing")
			}
			done.Text = cmp.Or(done.Text, s.GetId())
			view.Done = append(view.Done, done)
		}
	}
	if trial.Step != nil {
		now := worded(trial.Step)
		for _, a := range trial.Step.GetAnswers() {
			now.Answers = append(now.Answers, trialAnswer{trial.Step.GetId() + " " + a.GetId() + " person", cmp.Or(speech.inLanguage(a.GetLabel()), a.GetId())})
		}
		view.Now = &now
	}
	return view, nil
}

func (c *console) renderKnowledge(w http.ResponseWriter, v *visit, status int, form knowledgeForm) error {
	newest, err := c.desk.KnowledgeAt(v.Context(), v.actor(), &deskv1.GetKnowledgeRequest{})
	if err != nil {
		return err
	}
	if r := newest.GetRevision(); r.GetRevision() > 0 && r.GetPercent() < 100 {
		form.Part = r
	}
	form.MayPush = mayPush(v)
	if form.Trial == nil {
		form.Trial = &trialView{Trial: &desk.Trial{}, Language: v.speech.language}
	}
	return c.render(w, v, status, "knowledge", "procedures", form)
}

// pushKnowledge gives what was written to a ring of machines, or takes a file away.
func (c *console) pushKnowledge(w http.ResponseWriter, v *visit) error {
	form, err := c.readKnowledge(v)
	if err != nil {
		return err
	}
	percent, err := form.Ring.percent(v)
	if err != nil {
		form.Problem = err.Error()
		return c.renderKnowledge(w, v, http.StatusUnprocessableEntity, form)
	}
	change := form.change()
	if v.PostForm.Has("remove") {
		change = &deskv1.KnowledgeChange{Remove: []string{form.Path}}
	}
	made, err := c.desk.PushKnowledge(v.Context(), v.actor(), &deskv1.PushKnowledgeRequest{
		Change: change, Revision: form.Revision, Note: form.Ring.Note, Percent: percent, Hosts: form.Ring.hosts(),
	})
	switch {
	case errors.Is(err, desk.ErrInvalid):
		form.Checked, form.Problems = true, form.locate(strings.Split(err.Error(), "\n"))
		form.Problem = v.say("knowledge.notPushed")
		return c.renderKnowledge(w, v, http.StatusUnprocessableEntity, form)
	case errors.Is(err, desk.ErrConflict):
		return c.knowledgeConflict(w, v, form)
	case err != nil:
		return err
	}
	return c.back(w, v, fmt.Sprintf("/knowledge/%d", made.GetRevision()), "flash.pushed", form.Draft())
}

// knowledgeConflict shows what others pushed since the writer began, beside what
// they wrote: pushing again is on top of that.
func (c *console) knowledgeConflict(w http.ResponseWriter, v *visit, form knowledgeForm) error {
	newest, err := c.desk.KnowledgeAt(v.Context(), v.actor(), &deskv1.GetKnowledgeRequest{})
	if err != nil {
		return err
	}
	seen := &deskv1.KnowledgeRevision{}
	if form.Revision > 0 {
		found, err := c.desk.KnowledgeAt(v.Context(), v.actor(), &deskv1.GetKnowledgeRequest{Revision: form.Revision})
		if err != nil && !errors.Is(err, desk.ErrNotFound) {
			return err
		}
		seen = found.GetRevision()
	}
	before, _, err := c.inForce(v, seen, form.Path)
	if err != nil {
		return err
	}
	now, own, err := c.inForce(v, newest.GetRevision(), form.Path)
	if err != nil {
		return err
	}
	form.Own, form.Revision = own, newest.GetRevision().GetRevision()
	if before != now {
		form.Theirs = changedLines(splitLines(before), splitLines(now))
		form.Problem = v.say("knowledge.conflictHere", "Name", newest.GetRevision().GetAuthor(), "Revision", form.Revision)
	} else {
		form.Problem = v.say("knowledge.conflictElsewhere", "Name", newest.GetRevision().GetAuthor(), "Revision", form.Revision)
	}
	return c.renderKnowledge(w, v, http.StatusConflict, form)
}

// revisionView is one revision, what it changed, and for whom it is.
type revisionView struct {
	*deskv1.KnowledgeRevision
	Newest  int64
	Changes []fileChange
	Ring    ringForm
	Problem string
	MayPush bool
}

// Former is the revision before.
func (r revisionView) Former() int64 { return r.GetRevision() - 1 }

// fileChange is what a revision changed in a file.
type fileChange struct {
	Path  string
	Gone  bool
	Lines []changedLine
}

// revision shows one.
func (c *console) revision(w http.ResponseWriter, v *visit) error {
	return c.renderRevision(w, v, http.StatusOK, "", ringForm{})
}

func (c *console) renderRevision(w http.ResponseWriter, v *visit, status int, problem string, typed ringForm) error {
	number, err := strconv.ParseInt(v.PathValue("revision"), 10, 64)
	if err != nil || number < 1 {
		return desk.ErrNotFound
	}
	found, err := c.desk.KnowledgeAt(v.Context(), v.actor(), &deskv1.GetKnowledgeRequest{Revision: number})
	if err != nil {
		return err
	}
	newest, err := c.desk.KnowledgeAt(v.Context(), v.actor(), &deskv1.GetKnowledgeRequest{})
	if err != nil {
		return err
	}
	view := revisionView{KnowledgeRevision: found.GetRevision(), Newest: newest.GetRevision().GetRevision(), MayPush: mayPush(v), Problem: problem, Ring: typed}
	before := &deskv1.KnowledgeRevision{}
	if number > 1 {
		former, err := c.desk.KnowledgeAt(v.Context(), v.actor(), &deskv1.GetKnowledgeRequest{Revision: number - 1})
		if err != nil {
			return err
		}
		before = former.GetRevision()
	}
	texts := func(r *deskv1.KnowledgeRevision) map[string]string {
		by := map[string]string{}
		for _, f := range r.GetFiles() {
			by[f.GetPath()] = f.GetText()
		}
		return by
	}
	was, is := texts(before), texts(view.KnowledgeRevision)
	var paths []string
	for _, f := range append(before.GetFiles(), view.GetFiles()...) {
		paths = append(paths, f.GetPath())
	}
	slices.Sort(paths)
	for _, p := range slices.Compact(paths) {
		if was[p] != is[p] {
			_, stays := is[p]
			view.Changes = append(view.Changes, fileChange{p, !stays, changedLines(splitLines(was[p]), splitLines(is[p]))})
		}
	}
	if view.Ring.Percent == "" {
		view.Ring.Percent = strconv.Itoa(int(view.GetPercent()))
	}
	return c.render(w, v, status, "revision", "procedures", view)
}

// splitLines is a text as lines; nothing is none.
func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// releaseKnowledge widens the ring of a revision.
func (c *console) releaseKnowledge(w http.ResponseWriter, v *visit) error {
	if err := v.ParseForm(); err != nil {
		return err
	}
	typed := ringForm{Percent: v.PostFormValue("percent"), Hosts: v.PostFormValue("hosts")}
	number, err := strconv.ParseInt(v.PathValue("revision"), 10, 64)
	if err != nil {
		return desk.ErrNotFound
	}
	percent, err := typed.percent(v)
	if err != nil {
		return c.renderRevision(w, v, http.StatusUnprocessableEntity, err.Error(), typed)
	}
	_, err = c.desk.ReleaseKnowledge(v.Context(), v.actor(), &deskv1.ReleaseKnowledgeRequest{Revision: number, Percent: percent, Hosts: typed.hosts()})
	if errors.Is(err, desk.ErrInvalid) {
		return c.renderRevision(w, v, http.StatusUnprocessableEntity, err.Error(), typed)
	}
	if err != nil {
		return err
	}
	return c.back(w, v, fmt.Sprintf("/knowledge/%d", number), "flash.released", "")
}

// rollBackKnowledge pushes what stood in an old revision.
func (c *console) rollBackKnowledge(w http.ResponseWriter, v *visit) error {
	number, err := strconv.ParseInt(v.PathValue("revision"), 10, 64)
	if err != nil {
		return desk.ErrNotFound
	}
	made, err := c.desk.RollBackKnowledge(v.Context(), v.actor(), number, v.say("knowledge.backTo", "Revision", number))
	if errors.Is(err, desk.ErrInvalid) {
		return c.renderRevision(w, v, http.StatusUnprocessableEntity, err.Error(), ringForm{})
	}
	if err != nil {
		return err
	}
	return c.back(w, v, fmt.Sprintf("/knowledge/%d", made.GetRevision()), "flash.rolledBack", "")
}

// editorOf is the address of the editor of a file.
func editorOf(file string) string { return "/knowledge?" + url.Values{"file": {file}}.Encode() }
