//go:build linux || windows

package tray

import (
	"context"

	"fyne.io/systray"

	constatv1 "constat/proto/constat/v1"
)

// show draws the icon and its menu until the user closes it.
func show(ctx context.Context, s *session) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	systray.Run(func() { build(ctx, s) }, cancel)
	return nil
}

func build(ctx context.Context, s *session) {
	words := languages[s.language]
	systray.SetIcon(icon("fine"))
	systray.SetTitle("Constat")
	systray.SetTooltip(words.states["fine"])
	for _, e := range entries(s.language) {
		if e.apart {
			systray.AddSeparator()
		}
		item := systray.AddMenuItem(e.label, "")
		if e.about {
			item.Disable()
		}
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-item.ClickedCh:
				}
				if e.quit {
					systray.Quit()
				} else {
					s.openOrSay(ctx, e.view)
				}
			}
		}()
	}
	tell := notifier(ctx, s)
	state := "fine"
	go s.watch(ctx, func(m *constatv1.WatchResponse) {
		if m.GetState() != state && words.states[m.GetState()] != "" {
			state = m.GetState()
			systray.SetIcon(icon(state))
			systray.SetTooltip(words.states[state])
		}
		if m.GetTitle() != "" {
			tell(m.GetTitle(), m.GetText(), m.GetView())
		}
	})
}

// openOrSay opens a view, or says beside the icon why it can't be.
func (s *session) openOrSay(ctx context.Context, view string) {
	if err := s.open(ctx, view); err != nil {
		systray.SetTooltip(languages[s.language].noBrowser + err.Error())
	}
}
