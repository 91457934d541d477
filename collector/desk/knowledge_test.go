package desk_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"constat/collector/desk"
	"constat/internal/identity"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

var ada = desk.Actor{ID: "2", Name: "Ada", Role: "lead"}

// little is a fault of a team: less memory than its programs need.
const little = `- id: hw-little-memory
  urgency: low
  title: {en: Too little memory, fr: Pas assez de mémoire}
  explanation: {en: The desk is small., fr: Le bureau est petit.}
  advice:
    user: {en: Close programs., fr: Fermez des logiciels.}
    technician: {en: Order a module., fr: Commandez une barrette.}
  needs: [hardware]
  rule: hardware.memory_bytes < 8000000000
  decisive: "true"
  evidence:
    - show: [hardware.memory_bytes]
  source: our own programs
`

const ownProcedure = `---
id: vpn-of-ours
version: 1
owner: desk
review: 2027-05-01
complaint: internet
title: {en: Our VPN, fr: Notre VPN}
---

## token (question)
about: hw-little-memory

en: Is the token green?
fr: Le jeton est-il vert ?

- yes -> done
- no -> support
`

func put(path, text string) *deskv1.KnowledgeChange {
	return &deskv1.KnowledgeChange{Put: []*deskv1.KnowledgeFile{{Path: path, Text: text}}}
}

// signing gives the desk a key, and its public half to check by.
func (h *house) signing(t *testing.T) *identity.Authority {
	t.Helper()
	a, err := identity.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h.SignWith(a.SignKnowledge)
	return a
}

func (h *house) push(t *testing.T, after int64, c *deskv1.KnowledgeChange, percent int32, hosts ...string) *deskv1.KnowledgeRevision {
	t.Helper()
	made, err := h.PushKnowledge(t.Context(), ada, &deskv1.PushKnowledgeRequest{Change: c, Revision: after, Percent: percent, Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// given is what a machine that has a revision is sent at once; 0: nothing.
func (h *house) given(t *testing.T, by *identity.Authority, endpoint string, has int64) int64 {
	t.Helper()
	k, revision, err := h.KnowledgeFor(t.Context(), endpoint, has)
	if err != nil {
		t.Fatal(err)
	}
	if k == nil {
		return 0
	}
	if err := identity.VerifyKnowledge(by.Certificate(), k.GetContent(), k.GetSignature()); err != nil {
		t.Error(err)
	}
	known := &constatv1.Knowledge{}
	if err := proto.Unmarshal(k.GetContent(), known); err != nil || known.GetRevision() != revision {
		t.Errorf("revision %d is sent as %d, %v", known.GetRevision(), revision, err)
	}
	return revision
}

func TestKnowledgeIsPushedByRings(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		by := h.signing(t)
		one, two := h.enroll(t, "pc-one"), h.enroll(t, "pc-two")
		if first := h.push(t, 0, put("faults/hardware.yaml", little), 0, "PC-One"); first.GetRevision() != 1 || first.GetAuthor() != "Ada" {
			t.Errorf("pushed as %v", first)
		}
		if a, b := h.given(t, by, one, 0), h.given(t, by, two, 0); a != 1 || b != 0 {
			t.Errorf("the first ring: %d and %d", a, b)
		}
		if h.Catalog().Lookup("hw-little-memory") != nil {
			t.Error("the collector judges by what is for one machine")
		}
		if _, err := h.ReleaseKnowledge(t.Context(), ada, &deskv1.ReleaseKnowledgeRequest{Revision: 1, Percent: 100}); err != nil {
			t.Fatal(err)
		}
		if a, b := h.given(t, by, one, 1), h.given(t, by, two, 0); a != 0 || b != 1 {
			t.Errorf("released to all: %d and %d", a, b)
		}
		if h.Catalog().Lookup("hw-little-memory") == nil || !strings.HasSuffix(h.Catalog().Version(), "+1") {
			t.Errorf("the collector judges by %s", h.Catalog().Version())
		}
		_, err := h.ReleaseKnowledge(t.Context(), ada, &deskv1.ReleaseKnowledgeRequest{Revision: 1, Percent: 10})
		wantKind(t, err, desk.ErrInvalid)
		_, err = h.ReleaseKnowledge(t.Context(), ada, &deskv1.ReleaseKnowledgeRequest{Revision: 7, Percent: 10})
		wantKind(t, err, desk.ErrNotFound)

		// A machine of no ring of the newest one keeps what it had; back is forward.
		h.push(t, 1, put("procedures/vpn-of-ours.md", ownProcedure), 0, "pc-two")
		if a, b := h.given(t, by, one, 1), h.given(t, by, two, 1); a != 0 || b != 2 {
			t.Errorf("the second one: %d and %d", a, b)
		}
		back, err := h.RollBackKnowledge(t.Context(), ada, 1, "")
		if err != nil || back.GetRevision() != 3 || len(back.GetFiles()) != 1 {
			t.Fatalf("rolled back: %v, %v", back, err)
		}
		if b := h.given(t, by, two, 2); b != 3 {
			t.Errorf("after it: %d", b)
		}
		diff, err := h.KnowledgeAt(t.Context(), tech, &deskv1.GetKnowledgeRequest{Revision: 3, Since: proto.Int64(2)})
		if err != nil || !strings.Contains(diff.GetDiff(), "--- a/procedures/vpn-of-ours.md") || !strings.Contains(diff.GetDiff(), "-id: vpn-of-ours") {
			t.Errorf("what changed: %v, %v", diff.GetDiff(), err)
		}
		log, err := h.KnowledgeRevisions(t.Context(), tech)
		if err != nil || len(log) != 3 || log[0].GetNote() != "back to revision 1" || log[1].GetHosts()[0] != "pc-two" {
			t.Errorf("the log: %v, %v", log, err)
		}
	})
}

// sound is a procedure without a mistake.
const sound = `---
id: sound
version: 1
owner: desk
review: 2027-05-01
complaint: peripheral
title:
  en: No sound
  fr: Pas de son
---
## louder (manual)

en: Turn it up.
fr: Montez le son.

- helped -> done
- not -> support
`

// A team's procedure shows its own drawings and ours; machines are sent its own,
// and of those that ship nothing.
func TestTeamsOwnDrawings(t *testing.T) {
	const token = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" stroke="currentColor"><title lang="en">The token</title><title lang="fr">Le jeton</title><path d="M4 4h8"/></svg>`
	each(t, func(t *testing.T, h *house) {
		by := h.signing(t)
		pc := h.enroll(t, "pc-one")
		drawn := strings.Replace(ownProcedure, "about: hw-little-memory\n", "about: printer-paper-out\ndrawing: token.svg\n", 1) +
			"\n## plug (question)\nabout: printer-paper-out\ndrawing: plug.svg\n\nen: Is it in?\nfr: Est-il branché ?\n\n- yes -> done\n- no -> support\n"
		c := put("procedures/vpn-of-ours.md", drawn)
		c.Put = append(c.Put, &deskv1.KnowledgeFile{Path: "procedures/drawings/token.svg", Text: token})
		h.push(t, 0, c, 100)
		found, err := h.Procedure(t.Context(), ada, "vpn-of-ours")
		if err != nil {
			t.Fatal(err)
		}
		all := found.GetDrawings()
		if len(all) != 2 || all[0].GetName() != "token.svg" || all[0].GetTitle().GetFr() != "Le jeton" || !strings.Contains(string(all[0].GetSvg()), "M4 4h8") || all[1].GetName() != "plug.svg" || len(all[1].GetSvg()) == 0 {
			t.Errorf("its steps show %v", all)
		}
		sent, _, err := h.KnowledgeFor(t.Context(), pc, 0)
		if err != nil {
			t.Fatal(err)
		}
		known := &constatv1.Knowledge{}
		if err := proto.Unmarshal(sent.GetContent(), known); err != nil || identity.VerifyKnowledge(by.Certificate(), sent.GetContent(), sent.GetSignature()) != nil {
			t.Fatal(err)
		}
		if own := known.GetProcedures().GetDrawings(); len(own) != 1 || own[0].GetName() != "token.svg" || len(own[0].GetSvg()) == 0 {
			t.Errorf("machines are sent %v", own)
		}
		for text, want := range map[string]string{
			strings.Replace(token, "<path", "<script>x</script><path", 1):               "a drawing has no <script>",
			strings.Replace(token, "<path", strings.Repeat("<path/>", 1000)+"<path", 1): "larger than 4096 bytes",
		} {
			bad := put("procedures/drawings/token.svg", text)
			if _, err := h.PushKnowledge(t.Context(), ada, &deskv1.PushKnowledgeRequest{Change: bad, Revision: 1, Percent: 100}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q: %v", want, err)
			}
		}
	})
}

func TestKnowledgeIsRefusedWithItsReason(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		_, err := h.PushKnowledge(t.Context(), ada, &deskv1.PushKnowledgeRequest{Change: put("faults/os.yaml", little)})
		wantKind(t, err, desk.ErrInvalid) // no key yet
		h.signing(t)
		_, err = h.PushKnowledge(t.Context(), tech, &deskv1.PushKnowledgeRequest{Change: put("faults/os.yaml", little)})
		wantKind(t, err, desk.ErrForbidden)
		h.push(t, 0, put("procedures/vpn-of-ours.md", strings.Replace(ownProcedure, "about: hw-little-memory\n", "", 1)), 100)
		_, err = h.PushKnowledge(t.Context(), ada, &deskv1.PushKnowledgeRequest{Change: put("faults/os.yaml", little)})
		wantKind(t, err, desk.ErrConflict)
		for _, tt := range []struct{ path, text, want string }{
			{"faults/kitchen.yaml", little, `kitchen.yaml:1:1: unknown domain "kitchen"`},
			{"faults/hardware.yaml", strings.Replace(little, "memory_bytes < 8", "memory_bites < 8", 1), "hardware.yaml:9:"},
			{"faults/hardware.yaml", strings.Replace(little, "fr: Fermez des logiciels.", "", 1), "expected text for advice.user.fr"},
			{"faults/hardware.yaml", strings.Replace(little, "  decisive", "  remedies: [format-disk]\n  decisive", 1), `unknown remedy "format-disk"`},
			{"procedures/vpn-of-ours.md", ownProcedure, `vpn-of-ours.md:11: step token: unknown fault "hw-little-memory"`},
			{"procedures/vpn-of-ours.md", strings.Replace(strings.Replace(ownProcedure, "about: hw-little-memory\n", "", 1), "- yes -> done", "- yes -> token", 1), "an endless loop"},
			{"procedures/vpn-of-ours.md", strings.Replace(strings.Replace(ownProcedure, "about: hw-little-memory\n", "", 1), "green", "red", 1), "procedures/vpn-of-ours.md:1: it changed, and its version is still 1; expected version: 2"},
			{"procedures/sound.md", strings.Replace(sound, "fr: Montez le son.\n", "", 1), "sound.md:11: step louder lacks its fr text"},
			{"procedures/sound.md", strings.Replace(sound, "(manual)", "(remedy)\nverb: format-disk", 1), `sound.md:12: step louder: unknown verb "format-disk"`},
			{"procedures/sound.md", strings.Replace(sound, "- helped -> done", "- helped -> done\n  when: music_plays", 1), `unknown check "music_plays"`},
			{"procedures/sound.md", strings.Replace(sound, "\nen:", "drawing: ear.svg\n\nen:", 1), `sound.md:12: step louder: there is no drawing "ear.svg"`},
			{"procedures/vpn-of-ours.md", strings.Repeat("x", 5<<20), "more than the"},
			{"procedures/vpn-of-ours.md", strings.Repeat("x", 10<<20), "more than the"},
			{"procedures/big.md", strings.Repeat("x", 1<<20), "big.md:1: larger than"},
			{"../../etc/passwd", "root", "expected faults/DOMAIN.yaml"},
		} {
			_, err := h.PushKnowledge(t.Context(), ada, &deskv1.PushKnowledgeRequest{Change: put(tt.path, tt.text), Revision: 1, Percent: 100})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %.300v; want %q", tt.path, err, tt.want)
			}
			wantKind(t, err, desk.ErrInvalid)
			seen, err := h.PreviewKnowledge(t.Context(), tech, put(tt.path, tt.text))
			if err != nil || !strings.Contains(tt.want, "its version is still") && !strings.Contains(strings.Join(seen.GetProblems(), "\n"), tt.want) {
				t.Errorf("preview of %s: %.300v, %v; want %q", tt.path, seen, err, tt.want)
			}
		}
		if newest, err := h.KnowledgeAt(t.Context(), tech, &deskv1.GetKnowledgeRequest{}); err != nil || newest.GetRevision().GetRevision() != 1 {
			t.Errorf("after all that: %v, %v", newest, err)
		}
	})
}

func TestPreviewSaysOnWhichMachinesItWouldFire(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for name, memory := range map[string]int64{"pc-small": 4 << 30, "pc-large": 32 << 30, "pc-tiny": 2 << 30} {
			h.ingest(t, h.enroll(t, name), snapshotReport(facts(name, memory)))
		}
		h.enroll(t, "pc-silent") // it told nothing yet
		seen, err := h.PreviewKnowledge(t.Context(), tech, put("faults/hardware.yaml", little))
		if err != nil {
			t.Fatal(err)
		}
		f := seen.GetFaults()[0]
		if seen.GetMachines() != 3 || f.GetFault() != "hw-little-memory" || f.GetFired() != 2 || f.GetHealthy() != 2 || f.GetUnknown() != 0 {
			t.Errorf("would have fired: %v", seen)
		}
		if !strings.Contains(seen.GetDiff(), "+- id: hw-little-memory") {
			t.Errorf("the difference: %s", seen.GetDiff())
		}
		// What is in force already is not tried again.
		h.signing(t)
		h.push(t, 0, put("faults/hardware.yaml", little), 100)
		if again, err := h.PreviewKnowledge(t.Context(), tech, put("faults/hardware.yaml", little)); err != nil || again.GetDiff() != "" || len(again.GetFaults()) != 0 {
			t.Errorf("the same once more: %v, %v", again, err)
		}
		if changed, err := h.PreviewKnowledge(t.Context(), tech, put("faults/hardware.yaml", strings.Replace(little, "8000000000", "3000000000", 1))); err != nil || changed.GetFaults()[0].GetFired() != 1 {
			t.Errorf("changed: %v, %v", changed, err)
		}
	})
}

func TestWalksAreCountedByVersion(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		pc := h.enroll(t, "pc-1")
		run := func(version int32, outcome string, helped *bool, diagnosis string) *constatv1.ProcedureRun {
			return &constatv1.ProcedureRun{
				Id: newID(), Procedure: "printing", Version: version, Trigger: "user", StartedAt: timestamppb.Now(), ElapsedMs: 60000, Outcome: outcome, Helped: helped, DiagnosisId: diagnosis,
				Steps: []*constatv1.ProcedureRun_StepTaken{{Step: "look", Answer: "nothing", By: "machine"}, {Step: "paper", Answer: "helped", By: "person"}},
			}
		}
		report := func(r *constatv1.ProcedureRun) *constatv1.Report {
			return &constatv1.Report{Content: &constatv1.Report_Run{Run: r}}
		}
		d := diskFull()
		d.Procedure = "printing"
		ticket := draft("It does not print")
		ticket.DiagnosisId = d.Id
		later := run(2, "support", nil, "")
		for _, r := range h.ingest(t, pc,
			diagnosisReport(d), ticketReport(ticket), report(run(1, "solved", proto.Bool(true), "")), report(run(2, "support", proto.Bool(false), d.Id)),
			report(run(2, "solved", proto.Bool(true), "")), report(later),
		) {
			if r.GetStatus() != "stored" {
				t.Fatalf("receipt %v", r)
			}
		}
		// What is told later of a walk counts it once.
		later.Outcome, later.Helped = "solved", proto.Bool(true)
		h.ingest(t, pc, report(later))
		unclear := run(1, "support", proto.Bool(false), "")
		h.ingest(t, pc, report(unclear))
		unclear.Unclear = "Where is\nthe tray?" + strings.Repeat("!", 1000)
		h.ingest(t, pc, report(unclear))
		all, err := h.Procedures(t.Context(), tech)
		if err != nil {
			t.Fatal(err)
		}
		var use *deskv1.ProcedureUse
		for _, u := range all {
			if u.GetProcedure().GetId() == "printing" {
				use = u
			}
		}
		want := []*deskv1.ProcedureRate{
			{Version: 2, Runs: 3, Solved: 2, Helped: 2, NotHelped: 1, ElapsedMs: 180000, Steps: 6, Asked: 3, Tickets: 1},
			{Version: 1, Runs: 2, Solved: 1, Helped: 1, NotHelped: 1, ElapsedMs: 120000, Steps: 4, Asked: 2},
		}
		if use.GetOwn() || len(use.GetRates()) != 2 || !proto.Equal(use.GetRates()[0], want[0]) || !proto.Equal(use.GetRates()[1], want[1]) {
			t.Fatalf("counted as %v", use.GetRates())
		}
		update := func(status string) {
			_, err := h.Update(t.Context(), tech, &deskv1.UpdateTicketRequest{Number: 1, Version: h.ticket(t, 1).GetTicket().GetVersion(), Status: &status, Resolution: proto.String("paper")})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, tt := range []struct {
			status           string
			closed, reopened int64
		}{{"solved", 1, 0}, {"open", 0, 1}} {
			update(tt.status)
			one, err := h.Procedure(t.Context(), tech, "printing")
			if r := one.GetUse().GetRates()[0]; err != nil || r.GetClosed() != tt.closed || r.GetReopened() != tt.reopened {
				t.Errorf("%s: %v, %v", tt.status, r, err)
			}
			if said := one.GetUse().GetRates()[1].GetUnclear(); len(said) != 1 || !strings.HasPrefix(said[0], "Where is the tray?") || len(said[0]) > 510 {
				t.Errorf("unclear in version 1: %q", said)
			}
			if !strings.HasPrefix(one.GetText(), "---\nid: printing\n") {
				t.Errorf("its text begins with %.40q", one.GetText())
			}
		}
		for _, helped := range []bool{true, false} { // who changes their mind has one voice
			err := h.RateProcedure(t.Context(), tech, &deskv1.RateProcedureRequest{Id: "printing", Version: 1, Helped: helped, Unclear: "which tray?"})
			if err != nil {
				t.Fatal(err)
			}
		}
		one, err := h.Procedure(t.Context(), tech, "printing")
		if v := one.GetVoices(); err != nil || len(v) != 1 || v[0].GetHelped() || v[0].GetUnclear() != "which tray?" || v[0].GetVersion() != 1 {
			t.Errorf("the voices are %v, %v", v, err)
		}
		wantKind(t, h.RateProcedure(t.Context(), tech, &deskv1.RateProcedureRequest{Id: "printing", Version: 99}), desk.ErrInvalid)
		_, err = h.Procedure(t.Context(), tech, "lunch")
		wantKind(t, err, desk.ErrNotFound)

		for name, broken := range map[string]func(*constatv1.ProcedureRun){
			"no id":        func(r *constatv1.ProcedureRun) { r.Id = "" },
			"no procedure": func(r *constatv1.ProcedureRun) { r.Procedure = "../printing" },
			"no end":       func(r *constatv1.ProcedureRun) { r.Outcome = "" },
			"endless":      func(r *constatv1.ProcedureRun) { r.Steps = make([]*constatv1.ProcedureRun_StepTaken, 1001) },
		} {
			r := run(1, "solved", nil, "")
			broken(r)
			for i := range r.Steps {
				if r.Steps[i] == nil {
					r.Steps[i] = &constatv1.ProcedureRun_StepTaken{}
				}
			}
			if got := h.ingest(t, pc, report(r))[0]; got.GetStatus() != "refused" {
				t.Errorf("%s: %v", name, got)
			}
		}
	})
}
