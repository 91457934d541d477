// Command guest plays, inside a lab machine, what the machine has around it: a
// Logitech receiver at the other end of a USB port or of the kernel's HID bus, a
// broken device, and the sites and the time of an Internet; and a program that takes memory.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
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
		f, err := os.OpenFile(args[1], os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return answerQuestions(f, args[2])
	case len(args) == 4 && args[0] == "hid":
		return playHID(args[1], args[2], args[3])
	case len(args) == 2 && args[0] == "keyboard":
		return pairKeyboard(args[1])
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
	case len(args) == 3 && args[0] == "line":
		return holdLine(args[1], args[2])
	case len(args) == 1 && args[0] == "clock":
		return serveTime()
	case len(args) == 1 && args[0] == "crash":
		return crash()
	}
	return fmt.Errorf("usage: guest receiver DEVICE TABLE | guest hid PRODUCT NAME TABLE | guest keyboard CHARGE | guest sites CERTIFICATE KEY | guest get URL | guest cover NAME | guest device KIND PORT | guest hoard MEBIBYTES | guest line ADDRESS SOCKET | guest clock | guest crash")
}

// Reports of HID++ and its error code for what is not known.
const (
	shortReport, shortLength = 0x10, 7
	errorReport              = 0x8f
	unknownRequest           = 0x02
)

// answerQuestions plays a receiver at the far end of a HID interface: each
// question is answered with the reports that the table has for it, or the error
// that receivers give where it has none. "silent" is no answer, "flood" the
// movements of a mouse gone mad. The table, lines of "QUESTION ANSWER…" in
// hexadecimal, is read anew each time: batteries run down. "*" is any question
// that has no line of its own.
func answerQuestions(device io.ReadWriter, table string) error {
	question := make([]byte, 64)
	for {
		n, err := device.Read(question)
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
			times := 1
			switch a {
			case "silent":
				continue
			case "flood":
				a, times = "1101050100030405060708090a0b0c0d0e0f1011", 5000
			}
			report, err := hex.DecodeString(a)
			if err != nil {
				return err
			}
			for range times {
				if _, err := device.Write(report); err != nil {
					return err
				}
			}
		}
	}
}

func lookUp(table, question string) (any []string, err error) {
	f, err := os.Open(table)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		switch fields := strings.Fields(lines.Text()); {
		case len(fields) < 2:
		case fields[0] == question:
			return fields[1:], nil
		case fields[0] == "*":
			any = fields[1:]
		}
	}
	return any, lines.Err()
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

// holdLine connects who calls at an address with a program at a socket.
func holdLine(address, socket string) error {
	calls, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		caller, err := calls.Accept()
		if err != nil {
			return err
		}
		called, err := net.Dial("unix", socket)
		if err != nil {
			_ = caller.Close()
			continue
		}
		for _, way := range [][2]net.Conn{{caller, called}, {called, caller}} {
			go func() {
				_, _ = io.Copy(way[0], way[1])
				_ = way[0].Close()
			}()
		}
	}
}

// serveTime answers who asks for the time (SNTP, RFC 4330) with that of its start
// and what went by since: whoever sets the kernel's clock meanwhile sets not this.
func serveTime() error {
	start := time.Now()
	conn, err := net.ListenPacket("udp", ":123")
	if err != nil {
		return err
	}
	question := make([]byte, 512)
	for {
		n, from, err := conn.ReadFrom(question)
		if err != nil {
			return err
		}
		const length, client, server = 48, 3, 4
		if n < length || question[0]&7 != client {
			continue
		}
		now := start.Add(time.Since(start)) // by the clock that nobody sets
		const from1900 = 2208988800
		stamp := binary.BigEndian.AppendUint32(nil, uint32(now.Unix()+from1900))
		stamp = binary.BigEndian.AppendUint32(stamp, uint32(uint64(now.Nanosecond())<<32/1e9))
		answer := make([]byte, length)
		// No leap second, the version asked with, stratum 2, a microsecond's precision.
		answer[0], answer[1], answer[2], answer[3] = question[0]&0x38|server, 2, question[2], 0xec
		copy(answer[12:], []byte{198, 51, 100, 10}) // whom it follows
		for _, at := range []int{16, 32, 40} {
			copy(answer[at:], stamp)
		}
		copy(answer[24:32], question[40:48])
		if _, err := conn.WriteTo(answer, from); err != nil {
			return err
		}
	}
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

// crash reads where nothing is, and lets the kernel end it for that.
func crash() error {
	var byDefault [4]uint64 // struct sigaction of the kernel's
	const setSize = 8
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGSEGV), uintptr(unsafe.Pointer(&byDefault)), 0, setSize, 0, 0)
	if errno != 0 {
		return errno
	}
	return fmt.Errorf("there is %d at address 0", *nowhere)
}

var nowhere *int

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
