package privileged

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"

	"constat/agent/mixer"
)

var soundName = form(`^controlC[0-9]{1,3}$`)

// soundControls returns the switches and volumes of a sound card, by the name of
// its control node, as JSON. The node belongs to whoever sits at the screen.
func soundControls(_ context.Context, name string) ([]byte, error) {
	if !soundName().MatchString(name) {
		return nil, errors.New(`the argument must be the name of a control node, "controlC0"`)
	}
	controls, err := mixer.Read(filepath.Join("/dev/snd", name))
	if err != nil {
		return nil, err
	}
	return json.Marshal(controls)
}
