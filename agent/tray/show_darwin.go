package tray

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/ebitengine/purego"
	"github.com/ebitengine/purego/objc"

	constatv1 "constat/proto/constat/v1"
)

// What AppKit does it does on the first thread of a program only.
func init() { runtime.LockOSThread() }

// loaded are AppKit and what it is made of, once.
var loaded = sync.OnceValue(func() error {
	_, err := purego.Dlopen("/System/Library/Frameworks/AppKit.framework/AppKit", purego.RTLD_GLOBAL|purego.RTLD_LAZY)
	return err
})

func class(name string) objc.ID { return objc.ID(objc.GetClass(name)) }

func selector(name string) objc.SEL { return objc.RegisterName(name) }

func text(s string) objc.ID {
	return class("NSString").Send(selector("stringWithUTF8String:"), s)
}

// preferred is the first of the languages that this user chose for their Mac.
func preferred() string {
	if loaded() != nil {
		return ""
	}
	first := class("NSLocale").Send(selector("preferredLanguages")).Send(selector("firstObject"))
	if first == 0 {
		return ""
	}
	return objc.Send[string](first, selector("UTF8String"))
}

// menubar is an item of the menu bar, and its menu.
type menubar struct {
	session *session
	ctx     context.Context
	entries []entry
	// item, news and target are AppKit's: the item, the entry that says what is new,
	// and what a click is sent to.
	item, news, target objc.ID

	mu          sync.Mutex
	state       string
	title, view string // of what is new
}

// show draws the item and its menu until the user closes it. Where that can't be, the
// page is served all the same: "constat-tray open" leads to it.
func show(ctx context.Context, s *session) error {
	if err := loaded(); err != nil {
		fmt.Fprintln(os.Stderr, "constat-tray: there is no item in the menu bar:", err)
		<-ctx.Done()
		return nil
	}
	app := class("NSApplication").Send(selector("sharedApplication"))
	const accessory = 1 // NSApplicationActivationPolicyAccessory: nothing in the Dock
	app.Send(selector("setActivationPolicy:"), accessory)
	app.Send(selector("finishLaunching")) // before there is an item
	b := &menubar{session: s, ctx: ctx, entries: entries(s.language), state: "fine"}
	if err := b.build(); err != nil {
		return err
	}
	go s.watch(ctx, func(m *constatv1.WatchResponse) {
		b.mu.Lock()
		if languages[s.language].states[m.GetState()] != "" {
			b.state = m.GetState()
		}
		if m.GetTitle() != "" {
			b.title, b.view = m.GetTitle(), m.GetView()
		}
		b.mu.Unlock()
		b.target.Send(selector("performSelectorOnMainThread:withObject:waitUntilDone:"), selector("stand:"), objc.ID(0), false)
	})
	app.Send(selector("run"))
	return nil
}

// build makes the item with its menu. What is new stands first in the menu: to put a
// notification on the screen a Mac wants an application bundle, signed, which this is
// not.
func (b *menubar) build() error {
	kind, err := objc.RegisterClass("ConstatMenu", objc.GetClass("NSObject"), nil, nil, []objc.MethodDef{
		{Cmd: selector("act:"), Fn: func(_ objc.ID, _ objc.SEL, sender objc.ID) { b.act(int(objc.Send[int64](sender, selector("tag")))) }},
		{Cmd: selector("news:"), Fn: func(objc.ID, objc.SEL, objc.ID) { b.read() }},
		{Cmd: selector("stand:"), Fn: func(objc.ID, objc.SEL, objc.ID) { b.stand() }},
	})
	if err != nil {
		return fmt.Errorf("the menu bar: %w", err)
	}
	b.target = objc.ID(kind).Send(selector("new"))
	const variableLength = -1.0 // NSVariableStatusItemLength
	b.item = class("NSStatusBar").Send(selector("systemStatusBar")).Send(selector("statusItemWithLength:"), float64(variableLength))
	b.item.Send(selector("retain"))
	menu := class("NSMenu").Send(selector("new"))
	menu.Send(selector("setAutoenablesItems:"), false)
	add := func(label, action string, tag int) objc.ID {
		line := class("NSMenuItem").Send(selector("alloc")).Send(selector("initWithTitle:action:keyEquivalent:"), text(label), selector(action), text(""))
		line.Send(selector("setTarget:"), b.target)
		line.Send(selector("setTag:"), tag)
		menu.Send(selector("addItem:"), line)
		return line
	}
	b.news = add("", "news:", 0)
	b.news.Send(selector("setHidden:"), true)
	for i, e := range b.entries {
		if e.apart {
			menu.Send(selector("addItem:"), class("NSMenuItem").Send(selector("separatorItem")))
		}
		add(e.label, "act:", i).Send(selector("setEnabled:"), !e.about)
	}
	b.item.Send(selector("setMenu:"), menu)
	b.stand()
	return nil
}

// stand shows how things stand.
func (b *menubar) stand() {
	b.mu.Lock()
	state, title := b.state, b.title
	b.mu.Unlock()
	content := icon(state)
	data := class("NSData").Send(selector("dataWithBytes:length:"), &content[0], uint64(len(content)))
	image := class("NSImage").Send(selector("alloc")).Send(selector("initWithData:"), data)
	const height = 18 // of the menu bar's pictures, in points
	image.Send(selector("setSize:"), struct{ Width, Height float64 }{height, height})
	words := text(languages[b.session.language].states[state])
	bar := b.item.Send(selector("button"))
	bar.Send(selector("setImage:"), image)
	bar.Send(selector("setToolTip:"), words)
	bar.Send(selector("setAccessibilityLabel:"), words)
	image.Send(selector("release")) // the button keeps it
	b.news.Send(selector("setTitle:"), text(title))
	b.news.Send(selector("setHidden:"), title == "")
}

// act is a click on an entry.
func (b *menubar) act(i int) {
	if e := b.entries[i]; e.quit {
		class("NSApplication").Send(selector("sharedApplication")).Send(selector("terminate:"), objc.ID(0))
	} else {
		b.open(e.view)
	}
}

// read is a click on what is new: then it is so no more.
func (b *menubar) read() {
	b.mu.Lock()
	view := b.view
	b.title, b.view = "", ""
	b.mu.Unlock()
	b.stand()
	b.open(view)
}

func (b *menubar) open(view string) {
	if err := b.session.open(b.ctx, view); err != nil {
		b.item.Send(selector("button")).Send(selector("setToolTip:"), text(languages[b.session.language].noBrowser+err.Error()))
	}
}
