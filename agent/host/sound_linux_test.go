package host

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"constat/agent/mixer"
	constatv1 "constat/proto/constat/v1"
)

// signedIn writes files below a root, and that ann is signed in.
func signedIn(t *testing.T, root string, files map[string]string) {
	t.Helper()
	session := make([]byte, utmpSize)
	binary.LittleEndian.PutUint16(session, userProcess)
	copy(session[utmpUser:], "ann")
	files["run/utmp"] = string(session)
	files["etc/passwd"] = "ann:x:1000:1000:Ann:/home/ann:/bin/sh\n"
	for name, content := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What the user chose is where sound goes, and a card's own switch mutes it.
func TestSoundChoice(t *testing.T) {
	root := machine(t, "desk")
	signedIn(t, root, map[string]string{
		"home/ann/.local/state/wireplumber/default-nodes": "[default-nodes]\ndefault.configured.audio.sink=alsa_output.pci-0000_00_1f.3.hdmi-stereo\n",
	})
	s := Observe(t.Context(), Config{Root: root}, []string{"peripherals"})
	for _, e := range s.Peripherals.Audio {
		switch {
		case e.GetDirection() == "input" && e.DefaultEndpoint != nil:
			t.Errorf("nobody chose where to record from: %v", e)
		case e.GetDirection() == "output" && (e.DefaultEndpoint == nil || *e.DefaultEndpoint != (e.GetForm() == "hdmi")):
			t.Errorf("the screen was chosen: %v", e)
		}
	}
	if why := gapsOf(s, "peripherals")["audio.muted"]; why != statusUnsupported {
		t.Errorf("no card has a control node here, and of muted is said %q", why)
	}
}

func TestSoundIsAskedWithRights(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{filepath.Dir(root), root, filepath.Join(root, "dev/snd")} {
		_ = os.MkdirAll(dir, 0o755)
		_ = os.Chmod(dir, 0o755)
	}
	if err := os.WriteFile(filepath.Join(root, "dev/snd/controlC0"), nil, 0o000); err != nil {
		t.Fatal(err)
	}
	asNobody(t)
	off, half := false, int32(50)
	r := newReader(t.Context(), Config{Root: root, Privileged: func(_ context.Context, verb, argument string) ([]byte, error) {
		if verb != "sound" || argument != "controlC0" {
			return nil, fs.ErrInvalid
		}
		return json.Marshal([]mixer.Control{{Name: "Master Playback Switch", On: &off}, {Name: "Master Playback Volume", Percent: &half}})
	}})
	controls, err := soundControls(t.Context(), r, 0)
	var e constatv1.AudioEndpoint
	if e.Muted, e.VolumePercent = mixer.State(controls, "Playback"); err != nil || !e.GetMuted() || e.GetVolumePercent() != 50 {
		t.Errorf("muted %v, volume %v, error %v", e.Muted, e.VolumePercent, err)
	}
}
