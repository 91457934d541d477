package privileged

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// supplicantDir is where wpa_supplicant has a control socket for each link.
const supplicantDir = "/run/wpa_supplicant"

// supplicantTime is how long wpa_supplicant may take for all questions.
const supplicantTime = time.Second

// maxCertificate is the largest certificate file that is read.
const maxCertificate = 256 << 10

// askSupplicant returns what wpa_supplicant says of its sign-in on a link, the
// argument: its answers to STATUS and LIST_NETWORKS, the codes of the last
// failure, how the networks are signed in to, and behind them, as PEM, the
// certificate that this machine shows there. Keys in the same file stay here.
func askSupplicant(ctx context.Context, link string) ([]byte, error) {
	if link == "" || link != filepath.Base(link) || strings.HasPrefix(link, ".") {
		return nil, errors.New("the argument must be a link")
	}
	socket := filepath.Join(supplicantDir, link)
	if _, err := os.Stat(socket); err != nil {
		return nil, err
	}
	// An address without a file: nobody has to tidy it up.
	own := &net.UnixAddr{Net: "unixgram", Name: "@constat-" + rand.Text()}
	conn, err := net.DialUnix("unixgram", own, &net.UnixAddr{Net: "unixgram", Name: socket})
	if err != nil {
		return nil, fmt.Errorf("wpa_supplicant: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if err := conn.SetDeadline(time.Now().Add(supplicantTime)); err != nil {
		return nil, err
	}
	ask := func(question string) (string, error) {
		if _, err := conn.Write([]byte(question)); err != nil {
			return "", fmt.Errorf("wpa_supplicant: %w", err)
		}
		buffer := make([]byte, 4096) // its own limit
		n, err := conn.Read(buffer)
		if err != nil {
			return "", fmt.Errorf("wpa_supplicant: %w", err)
		}
		return string(buffer[:n]), nil
	}
	status, err := ask("STATUS")
	if err != nil {
		return nil, err
	}
	answer := []byte(strings.TrimSpace(status) + "\n")
	networks, err := ask("LIST_NETWORKS")
	if err != nil {
		return nil, err
	}
	answer = append(answer, strings.TrimRight(networks, "\n")+"\n"...) // columns at the end may be empty
	answer = append(answer, failureCodes(ctx, link)...)
	for _, number := range networkNumbers(networks) {
		// One line of words, or FAIL where the network is gone meanwhile.
		if words, err := ask(fmt.Sprintf("GET_NETWORK %d key_mgmt", number)); err == nil {
			words, _, _ = strings.Cut(words, "\n")
			answer = fmt.Appendf(answer, "key_mgmt.%d=%s\n", number, words)
		}
	}
	if file, err := ask("GET_NETWORK 0 client_cert"); err == nil {
		if path, err := strconv.Unquote(strings.TrimSpace(file)); err == nil {
			answer = append(answer, certificateIn(path)...)
		}
	}
	return answer, nil
}

// maxNetworks is of how many networks more is asked.
const maxNetworks = 16

// networkNumbers are wpa_supplicant's numbers of the networks in its answer to
// LIST_NETWORKS.
func networkNumbers(list string) (numbers []uint) {
	for line := range strings.Lines(list) {
		text, _, _ := strings.Cut(line, "\t")
		if number, err := strconv.ParseUint(text, 10, 31); err == nil && len(numbers) < maxNetworks {
			numbers = append(numbers, uint(number))
		}
	}
	return numbers
}

// failureCodes returns, as lines of NAME=NUMBER, what wpa_supplicant keeps of the
// last disconnect and tells only over the system bus, where its rules let few
// accounts ask; nothing where it does not answer there.
func failureCodes(ctx context.Context, link string) []byte {
	ctx, cancel := context.WithTimeout(ctx, supplicantTime)
	defer cancel()
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return nil
	}
	defer conn.Close()
	var at dbus.ObjectPath
	if err := call(ctx, conn, supplicant, supplicantAt, supplicant+".GetInterface", link).Store(&at); err != nil {
		return nil
	}
	var lines []byte
	for _, code := range []string{"DisconnectReason", "AuthStatusCode", "AssocStatusCode"} {
		if number, err := property[int32](ctx, conn, supplicant, at, supplicant+".Interface", code); err == nil {
			lines = fmt.Appendf(lines, "%s=%d\n", code, number)
		}
	}
	return lines
}

// certificateIn returns the first certificate of a file, as PEM; nil when there
// is none.
func certificateIn(file string) []byte {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxCertificate {
		return nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			return nil
		}
		if block.Type == "CERTIFICATE" {
			return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
		}
	}
}
