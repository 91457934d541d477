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
	macGaps(o, "services")
	return s, o
}

func readClock(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("launchctl, /etc/ntp.conf, systemsetup")
	job, err := r.run(ctx, programLimit, launchctlProgram, "print", "system/com.apple.timed")
	if err != nil {
		gap(o, "service_state", err)
	}
	wanted, err := r.run(ctx, programLimit, systemsetup, "-getusingnetworktime")
	if err != nil {
		gap(o, "enabled", err)
	}
	servers, err := r.file("/etc/ntp.conf")
	if err != nil {
		gap(o, "source", err)
	}
	macGaps(o, "clock")
	return macClock(job, wanted, servers), o
}

func readSignIn(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("who, dscl, pwpolicy, dsconfigad, odutil, klist")
	content, err := r.run(ctx, programLimit, whoProgram)
	if err != nil {
		return nil, failed(o.Source, err)
	}
	s := &constatv1.SignIn{Accounts: macAccounts(content)}
	policies, _ := r.run(ctx, programLimit, pwpolicyProgram, "-getaccountpolicies")
	days := macPasswordDays(policies)
	for _, a := range s.Accounts {
		if !macUserName(a.GetUser()) {
			continue
		}
		allowed, _ := r.run(ctx, programLimit, pwpolicyProgram, "-u", a.GetUser(), "-authentication-allowed") // it ends with an error where it is not
		a.Locked = macLocked(allowed)
		if record, err := r.run(ctx, programLimit, dsclProgram, ".", "-read", "/Users/"+a.GetUser(), "RecordName", "OriginalNodeName"); err == nil {
			a.Kind = macAccountKind(record)
		}
		var ages []byte
		if days != nil && *days > 0 {
			ages, _ = r.run(ctx, programLimit, dsclProgram, ".", "-read", "/Users/"+a.GetUser(), "accountPolicyData")
		}
		macPasswordEnd(a, days, ages, time.Now())
	}
	if tree, err := r.tree(ctx, programLimit, dsconfigadProgram, "-show", "-xml"); err != nil {
		gap(o, "directory", err)
	} else if s.Directory = macDirectory(tree); s.Directory != nil {
		if nodes, err := r.run(ctx, programLimit, odutilProgram, "show", "nodenames"); err != nil {
			gap(o, "directory.state", err)
		} else {
			s.Directory.State = macDirectoryState(nodes)
		}
	}
	r.ticket(ctx, s, o)
	macGaps(o, "sign_in")
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
	macTicketOf(s.Accounts, me.Username, macTicket(tree, time.Local))
}

func readSecurity(ctx context.Context, r *reader) (proto.Message, *constatv1.Observation) {
	o := observed("socketfilterfw, fdesetup, security, csrutil, spctl, profiles, /Applications")
	s := &constatv1.Security{}
	var processes map[string]bool
	if list, err := r.run(ctx, programLimit, psProgram, psWords...); err == nil {
		processes = map[string]bool{}
		for _, p := range parseMacProcesses(list, time.Since(sysctl(r.sysctl).time("kern.boottime")).Seconds()) {
			processes[p.name] = true
		}
	}
	s.Products = macProducts(func(path string) bool { _, err := r.stat(path); return err == nil }, processes)
	if state, err := r.run(ctx, programLimit, firewallProgram, "--getglobalstate"); err != nil {
		gap(o, "products", err)
	} else {
		s.Products = append(s.Products, macFirewallProduct(state))
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
	macGaps(o, "security")
	return s, o
}
