package mixer

import "testing"

func TestState(t *testing.T) {
	on, off := true, false
	loud, low := int32(87), int32(0)
	for name, test := range map[string]struct {
		controls  []Control
		direction string
		muted     *bool
		percent   *int32
	}{
		"laptop, muted": {[]Control{
			{Name: "Headphone Playback Switch", On: &on}, {Name: "Master Playback Volume", Percent: &loud}, {Name: "Master Playback Switch", On: &off}, {Name: "IEC958 Playback Switch", On: &on},
		}, "Playback", &on, &loud},
		"its microphone": {[]Control{
			{Name: "Master Playback Switch", On: &off}, {Name: "Mic Boost Volume", Percent: &loud}, {Name: "Capture Switch", On: &on}, {Name: "Capture Volume", Percent: &low},
		}, "Capture", &off, &low},
		"USB headset": {[]Control{
			{Name: "Jabra Playback Volume", Percent: &loud}, {Name: "Jabra Playback Switch", On: &on}, {Name: "Jabra Capture Volume", Percent: &low}, {Name: "Jabra Capture Switch", On: &off},
		}, "Capture", &on, &low},
		"HDMI has none": {[]Control{{Name: "IEC958 Playback Switch", On: &on}}, "Playback", nil, nil},
	} {
		muted, percent := State(test.controls, test.direction)
		if (muted == nil) != (test.muted == nil) || muted != nil && *muted != *test.muted {
			t.Errorf("%s: muted %v", name, muted)
		}
		if (percent == nil) != (test.percent == nil) || percent != nil && *percent != *test.percent {
			t.Errorf("%s: percent %v", name, percent)
		}
	}
	if p := share(50, 0, 87); *p != 57 {
		t.Errorf("%d %%", *p)
	}
	if share(3, 3, 3) != nil || share(9, 0, 5) != nil {
		t.Error("a volume without room")
	}
}
