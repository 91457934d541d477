package tray

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
	"google.golang.org/protobuf/encoding/protojson"

	"constat/agent/local"
	constatv1 "constat/proto/constat/v1"
)

// TestMain is, where a test of the tray asks for it, what the tray meets on its
// computer: an agent, or a browser.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "agent" {
		exit(beAgent(os.Args[2]))
	}
	if len(os.Args) == 4 && os.Args[1] == "enter" {
		exit(enter(os.Args[2], os.Args[3]))
	}
	if len(os.Args) == 2 && os.Args[1] == "clicked" {
		exit(clicked())
	}
	os.Exit(m.Run())
}

// clicked tells the tray on this desktop that its balloon was clicked.
func clicked() error {
	class, err := windows.UTF16PtrFromString(iconClass)
	if err != nil {
		return err
	}
	window, _, err := user32.NewProc("FindWindowW").Call(uintptr(unsafe.Pointer(class)), 0)
	if window == 0 {
		return err
	}
	if ok, _, err := user32.NewProc("PostMessageW").Call(window, iconMessage, iconID, ninBalloonUserClick); ok == 0 {
		return err
	}
	return nil
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// beAgent listens in a directory's name, and says how things stand, a line each.
func beAgent(dir string) error {
	l, err := local.Listen(local.Socket(dir))
	if err != nil {
		return err
	}
	agent := standing{said: make(chan *constatv1.WatchResponse)}
	go func() { exit(local.Serve(context.Background(), l, agent)) }()
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		m := &constatv1.WatchResponse{}
		if err := protojson.Unmarshal(lines.Bytes(), m); err != nil {
			return err
		}
		agent.said <- m
	}
	return nil
}

// enter is what a browser does first on the page, and prints what it is answered.
func enter(address, token string) error {
	r, err := http.NewRequest(http.MethodPost, "http://"+address+"/enter", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	fmt.Println(answer.StatusCode)
	return nil
}
