//go:build linux || windows

package main

import (
	"context"
	_ "embed"
	"runtime"

	"fyne.io/systray"
)

//go:embed icon.png
var iconPNG []byte

//go:embed icon.ico
var iconICO []byte

// show draws the icon and its menu until the user closes it.
func show(s *session) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	systray.Run(func() { build(ctx, s) }, cancel)
	return nil
}

func build(ctx context.Context, s *session) {
	icon := iconPNG
	if runtime.GOOS == "windows" {
		icon = iconICO
	}
	systray.SetIcon(icon)
	systray.SetTooltip("Constat")
	title := systray.AddMenuItem(s.state.title(), "")
	title.Disable()
	systray.AddSeparator()
	var items []*systray.MenuItem
	for _, e := range s.state.entries() {
		item := systray.AddMenuItem(e.label, "")
		items = append(items, item)
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-item.ClickedCh:
				}
				switch {
				case e.quit:
					systray.Quit()
				case e.send:
					s.send(ctx)
				default:
					s.diagnose(ctx, e.procedure)
				}
			}
		}()
	}
	s.changed = func(now state) {
		title.SetTitle(now.title())
		for i, e := range now.entries() {
			if e.enabled {
				items[i].Enable()
			} else {
				items[i].Disable()
			}
		}
	}
	s.update(func(*state) {})
}
