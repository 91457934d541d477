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
	for i, e := range entries(s.language) {
		item := systray.AddMenuItem(e.label, "")
		if i == 0 {
			systray.AddSeparator()
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
				} else if err := s.open(ctx, e.view); err != nil {
					systray.SetTooltip(languages[s.language].noBrowser + err.Error())
				}
			}
		}()
	}
}
