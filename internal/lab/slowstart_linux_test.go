package lab

import "testing"

// slowStart is a machine whose start takes minutes, beside which others are
// diagnosed.
type slowStart struct {
	how   string
	files map[string]string
	*premises
}

// slowly has a machine's start wait for a service.
func slowly(how string, units map[string]string) *slowStart {
	files := map[string]string{}
	wants := "[Unit]\n"
	for name, content := range units {
		files["systemd/system/"+name] = content
		wants += "Wants=" + name + "\n"
	}
	files["systemd/system/cups.service.d/wants.conf"] = wants
	return &slowStart{how: how, files: files}
}

// startSlowly starts them, each in a network of its own.
func startSlowly(t *testing.T, agent string) []*slowStart {
	all := []*slowStart{
		slowly("a service of the start takes a hundred seconds", map[string]string{
			"inventory.service": "[Unit]\nDescription=Inventory\n[Service]\nType=oneshot\nExecStart=/bin/sleep 100\n",
		}),
		slowly("two services wait for each other, and the start for both", map[string]string{
			"mirror.service": "[Unit]\nDescription=Mirror of the share\n[Service]\nType=oneshot\nExecStart=/bin/sleep 105\n",
			"index.service":  "[Unit]\nDescription=Index\nAfter=mirror.service\n[Service]\nType=oneshot\nExecStart=/bin/sleep 90\n",
		}),
	}
	for _, s := range all {
		s.premises = newPremises(t, agent, drawing("start", s.how), s.files)
	}
	return all
}

// diagnose waits until the start is over, and asks why the computer is slow.
func (s *slowStart) diagnose(t *testing.T) Run {
	outer := s.t
	s.t = t
	defer func() { s.t = outer }()
	s.awaitLong("the start to be over", func() bool {
		_, err := s.machine.Try(`[ "$(systemctl list-jobs --no-legend | wc -l)" = 0 ]`)
		return err == nil
	})
	run := s.premises.diagnose("slow")
	run.Fault, run.How = "os-startup-bloat", s.how
	return run
}
