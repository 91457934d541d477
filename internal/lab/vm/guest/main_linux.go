// Command guest plays, inside a lab machine, what the machine has around it: a
// Logitech receiver or a broken device at the other end of a USB port, and the
// sites of an Internet; and a program that takes memory.
package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		os.Exit(2)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "receiver":
		return answerQuestions(args[1], args[2])
	case len(args) == 3 && args[0] == "sites":
		return serveSites(args[1], args[2])
	case len(args) == 2 && args[0] == "get":
		return get(args[1])
	case len(args) == 2 && args[0] == "cover":
		return holdCover(args[1])
	case len(args) == 3 && args[0] == "device":
		return playDevice(args[1], args[2])
	case len(args) == 2 && args[0] == "hoard":
		return hoard(args[1])
	}
	return fmt.Errorf("usage: guest receiver DEVICE TABLE | guest sites CERTIFICATE KEY | guest get URL | guest cover NAME | guest device KIND PORT | guest hoard MEBIBYTES")
}

// Reports of HID++ and its error code for what is not known.
const (
	shortReport, shortLength = 0x10, 7
	errorReport              = 0x8f
	unknownRequest           = 0x02
)

// answerQuestions plays a receiver on the gadget's end of a HID interface: each
// question is answered with the reports that the table has for it, the error
// that receivers give where it has none, or not at all: "silent". The table,
// lines of "QUESTION ANSWER…" in hexadecimal, is read anew each time: batteries
// run down.
func answerQuestions(device, table string) error {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	question := make([]byte, 64)
	for {
		n, err := f.Read(question)
		if err != nil {
			return err
		}
		if n < shortLength || question[0] != shortReport {
			continue
		}
		q := question[:shortLength]
		answers, err := lookUp(table, hex.EncodeToString(q))
		if err != nil {
			return err
		}
		if answers == nil {
			answers = []string{hex.EncodeToString([]byte{shortReport, q[1], errorReport, q[2], q[3], unknownRequest, 0})}
		}
		for _, a := range answers {
			if a == "silent" {
				continue
			}
			report, err := hex.DecodeString(a)
			if err != nil {
				return err
			}
			if _, err := f.Write(report); err != nil {
				return err
			}
		}
	}
}

func lookUp(table, question string) ([]string, error) {
	f, err := os.Open(table)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == question {
			return fields[1:], nil
		}
	}
	return nil, lines.Err()
}

// serveSites serves the connectivity page on port 80 and a site on port 443, on
// all addresses.
func serveSites(certificate, key string) error {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "success\n") })
	plain, err := net.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- http.Serve(plain, page) }()
	go func() { failed <- http.ListenAndServeTLS(":443", certificate, key, page) }()
	return <-failed
}

// get tells whether a page can be read.
func get(url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// hoarded is never given back.
var hoarded [][]byte

// hoard takes memory until so much is left, and keeps it.
func hoard(left string) error {
	leave, err := strconv.Atoi(left)
	if err != nil {
		return err
	}
	for {
		available, err := availableMemory()
		if err != nil {
			return err
		}
		if available <= leave {
			break
		}
		page := make([]byte, min(available-leave, 16)<<20)
		for i := 0; i < len(page); i += 4096 {
			page[i] = 1
		}
		hoarded = append(hoarded, page)
	}
	fmt.Println("that is all")
	for {
		time.Sleep(time.Hour)
	}
}

// availableMemory is what the kernel could still give, in MiB.
func availableMemory() (int, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0, err
	}
	return kib >> 10, nil
}
