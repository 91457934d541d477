package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

func readServices(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("launchctl")
	content, err := r.run(ctx, programLimit, launchctlProgram, "print", "system")
	if err != nil {
		return nil, failed(o.Source, err)
	}
	s := &constatv1.Services{Manager: set("launchd")}
	for _, label := range notableJobs(parseMacJobs(content)) {
		one, err := r.run(ctx, programLimit, launchctlProgram, "print", "system/"+label)
		if err != nil {
			gap(o, "services", err)
			continue
		}
		s.Services = append(s.Services, parseMacJob(label, one))
	}
	gap(o, "services.recent_restarts", errMacSilent)
	return s, o
}

func readClock(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("launchctl, /etc/ntp.conf, systemsetup")
	c := &constatv1.Clock{Service: set("timed")}
	if content, err := r.run(ctx, programLimit, launchctlProgram, "print", "system/com.apple.timed"); err != nil {
		gap(o, "service_state", err)
	} else if state := parseMacJob("com.apple.timed", content).GetState(); state == "running" || state == "stopped" {
		c.ServiceState = &state
	}
	if content, err := r.run(ctx, programLimit, systemsetup, "-getusingnetworktime"); err != nil {
		gap(o, "enabled", err)
	} else {
		c.Enabled = macNetworkTime(content)
	}
	if content, err := r.file("/etc/ntp.conf"); err != nil {
		gap(o, "source", err)
	} else {
		c.Source = macTimeServer(content)
	}
	gap(o, "synchronized", errMacSilent)
	return c, o
}

func readSignIn(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("who, dsconfigad, odutil, klist")
	content, err := r.run(ctx, programLimit, whoProgram)
	if err != nil {
		return nil, failed(o.Source, err)
	}
	s := &constatv1.SignIn{}
	for _, session := range parseWho(content) {
		if n := len(s.Accounts); n == 0 || s.Accounts[n-1].GetUser() != session.GetUser() {
			s.Accounts = append(s.Accounts, &constatv1.Account{User: session.User})
		}
	}
	if tree, err := r.tree(ctx, programLimit, dsconfigadProgram, "-show", "-xml"); err != nil {
		gap(o, "directory", err)
	} else if domain, joined := macJoin(tree); joined {
		s.Directory = &constatv1.Directory{Name: &domain, Kind: set("activeDirectory")}
		if nodes, err := r.run(ctx, programLimit, odutilProgram, "show", "nodenames"); err != nil {
			gap(o, "directory.state", err)
		} else {
			s.Directory.State = macDirectoryState(nodes)
		}
	}
	r.ticket(ctx, s, o)
	gap(o, "directory.trust_ok", fmt.Errorf("only the domain can tell whether this Mac's account is good, and it is not asked: %w", errors.ErrUnsupported))
	for _, fact := range []string{"accounts.kind", "accounts.locked", "accounts.password_expired"} {
		gap(o, fact, errMacSilent)
	}
	return s, o
}

// ticket asks for the Kerberos ticket of the person that this program runs as. Those
// of other persons' sessions are kept from it, and from root.
func (r *reader) ticket(ctx context.Context, s *constatv1.SignIn, o *constatv1.Observation) {
	me, err := user.Current()
	if err == nil && os.Geteuid() == 0 {
		err = fmt.Errorf("tickets are kept in each person's session: %w", errors.ErrUnsupported)
	}
	var tree node
	if err == nil {
		tree, err = r.tree(ctx, programLimit, klistProgram, "--json")
	}
	if err != nil {
		gap(o, "accounts.ticket_expires_at", err)
		return
	}
	for _, a := range s.Accounts {
		if until := macTicket(tree, time.Local); a.GetUser() == me.Username && !until.IsZero() {
			a.TicketExpiresAt = timestamppb.New(until)
		}
	}
}

func readSecurity(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("socketfilterfw, fdesetup, security, csrutil, spctl, profiles, /Applications")
	s := &constatv1.Security{}
	var processes map[string]bool
	if list, err := r.run(ctx, programLimit, psProgram, psWords...); err == nil {
		processes = map[string]bool{}
		for _, p := range parseMacProcesses(list, time.Since(bootedAt()).Seconds()) {
			processes[p.name] = true
		}
	}
	s.Products = macProducts(func(path string) bool { _, err := r.stat(path); return err == nil }, processes)
	if state, err := r.run(ctx, programLimit, firewallProgram, "--getglobalstate"); err != nil {
		gap(o, "products", err)
	} else {
		s.Products = append(s.Products, &constatv1.SecurityProduct{Name: set("macOS Application Firewall"), Kind: set("firewall"), Enabled: macEnabled(state)})
	}
	if content, err := r.run(ctx, programLimit, fdesetupProgram, "status"); err != nil {
		gap(o, "disk_encrypted", err)
	} else {
		s.DiskEncrypted = macVault(content)
	}
	if content, err := r.run(ctx, programLimit, securityProgram, "find-certificate", "-a", "-p", "/Library/Keychains/System.keychain"); err != nil && !strings.Contains(err.Error(), "could not be found") {
		gap(o, "added_roots", err)
		gap(o, "certificates", err)
	} else {
		s.AddedRoots, s.Certificates = macCertificates(content)
	}
	for _, question := range []struct {
		fact   string
		answer **bool
		read   func([]byte) *bool
		words  []string
	}{
		{"system_integrity", &s.SystemIntegrity, macIntegrity, []string{csrutilProgram, "status"}},
		{"gatekeeper", &s.Gatekeeper, macEnabled, []string{spctlProgram, "--status"}},
		{"managed", &s.Managed, macManaged, []string{profilesProgram, "status", "-type", "enrollment"}},
	} {
		// spctl ends with an error where it is off.
		content, err := r.run(ctx, programLimit, question.words[0], question.words[1:]...)
		if *question.answer = question.read(content); *question.answer == nil {
			gap(o, question.fact, cmp.Or(err, errors.New("what it says is not as expected")))
		}
	}
	if os.Geteuid() != 0 {
		gap(o, "profiles", fmt.Errorf("only root is told of the machine's profiles: %w", fs.ErrPermission))
	} else if tree, err := r.tree(ctx, programLimit, profilesProgram, "list", "-output", "stdout-xml"); err != nil {
		gap(o, "profiles", err)
	} else {
		s.Profiles = macProfiles(tree)
	}
	gap(o, "products.up_to_date", errMacSilent)
	return s, o
}
