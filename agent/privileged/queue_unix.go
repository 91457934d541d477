//go:build linux || darwin

package privileged

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os/user"
	"strconv"
	"strings"
)

// Operations of IPP (RFC 8011 5.4.15) and of CUPS.
const (
	ippCancelJob        = 0x0008
	ippGetJobAttributes = 0x0009
	ippPausePrinter     = 0x0010
	ippResumePrinter    = 0x0011
	cupsAcceptJobs      = 0x4008
	cupsRejectJobs      = 0x4009
)

// queueForm is a queue's name as CUPS allows it, jobForm a document in one.
var (
	queueForm = form(`^[^\x00-\x20/#\x7f]{1,127}$`)
	jobForm   = form(`^([^\x00-\x20/#\x7f]{1,127}) ([0-9]{1,9}) ([A-Za-z0-9_.@\\+-]{1,64})$`)
)

// resumeQueue lets a queue print, and take documents.
func resumeQueue(ctx context.Context, queue string) ([]byte, error) {
	if !queueForm().MatchString(queue) {
		return nil, errors.New("the argument must be the name of a queue")
	}
	for _, operation := range []uint16{cupsAcceptJobs, ippResumePrinter} {
		if _, err := askCUPS(ctx, cupsSocket, operation, queue, 0); err != nil {
			return nil, err
		}
	}
	return []byte("the queue " + queue + " was resumed, and takes documents"), nil
}

// pauseQueue takes a resume back: the argument is the queue and what it was,
// "stopped", "rejecting" or both with a comma between them.
func pauseQueue(ctx context.Context, argument string) ([]byte, error) {
	queue, was, _ := strings.Cut(argument, " ")
	if !queueForm().MatchString(queue) {
		return nil, errors.New("the argument must be the name of a queue, and what it was")
	}
	for state, operation := range map[string]uint16{"stopped": ippPausePrinter, "rejecting": cupsRejectJobs} {
		if !strings.Contains(was, state) {
			continue
		}
		if _, err := askCUPS(ctx, cupsSocket, operation, queue, 0); err != nil {
			return nil, err
		}
	}
	return []byte("the queue " + queue + " is as it was: " + was), nil
}

// cancelJob takes a document out of a queue: one of the person's who consented,
// or anybody's where that is root. The argument is "QUEUE NUMBER ACCOUNT".
func cancelJob(ctx context.Context, argument string) ([]byte, error) {
	parts := jobForm().FindStringSubmatch(argument)
	if parts == nil {
		return nil, errors.New(`the argument must be "QUEUE NUMBER ACCOUNT"`)
	}
	id, err := strconv.ParseInt(parts[2], 10, 32)
	if err != nil {
		return nil, err
	}
	content, err := askCUPS(ctx, cupsSocket, ippGetJobAttributes, parts[1], int32(id))
	if err != nil {
		return nil, err
	}
	owner := attribute(content, "job-originating-user-name")
	if asks, err := user.Lookup(parts[3]); owner != parts[3] && (err != nil || asks.Uid != "0") {
		return nil, fmt.Errorf("document %d in %s is another person's: only they may remove it: %w", id, parts[1], fs.ErrPermission)
	}
	if _, err := askCUPS(ctx, cupsSocket, ippCancelJob, parts[1], int32(id)); err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "document %d was removed from the queue %s", id, parts[1]), nil
}

// askCUPS sends one operation about a queue, or a job in it, as root, whom CUPS
// knows by the socket (cupsd's PeerCred), and returns the answer.
func askCUPS(ctx context.Context, socket string, operation uint16, queue string, job int32) ([]byte, error) {
	request := ippRequest(operation, queue, job)
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10,
	}}
	path := "/admin/"
	if operation == ippGetJobAttributes || operation == ippCancelJob {
		path = "/jobs/"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+path, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/ipp")
	r.Header.Set("Authorization", "PeerCred root")
	answer, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("CUPS: %w", err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	switch {
	case err != nil:
		return nil, fmt.Errorf("CUPS: %w", err)
	case answer.StatusCode != http.StatusOK || len(content) < 8:
		return nil, fmt.Errorf("CUPS answers %s", answer.Status)
	}
	const lastSuccess, notFound = 0x00ff, 0x0406
	switch status := binary.BigEndian.Uint16(content[2:]); {
	case status == notFound:
		return nil, fmt.Errorf("CUPS has no such queue or document: %w", fs.ErrNotExist)
	case status > lastSuccess:
		return nil, fmt.Errorf("CUPS refuses with 0x%04x: %s", status, attribute(content, "status-message"))
	}
	return content, nil
}

// ippRequest encodes an operation (RFC 8010 section 3).
func ippRequest(operation uint16, queue string, job int32) []byte {
	b := binary.BigEndian.AppendUint16([]byte{2, 0}, operation)
	b = append(b, 0, 0, 0, 1, 1) // number, operation attributes
	add := func(tag byte, name, value string) {
		b = append(b, tag)
		for _, text := range []string{name, value} {
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(text))), text...)
		}
	}
	add(0x47, "attributes-charset", "utf-8")
	add(0x48, "attributes-natural-language", "en")
	add(0x45, "printer-uri", "ipp://localhost/printers/"+queue)
	if job != 0 {
		add(0x21, "job-id", string(binary.BigEndian.AppendUint32(nil, uint32(job))))
	}
	add(0x42, "requesting-user-name", "root")
	if operation == ippGetJobAttributes {
		add(0x44, "requested-attributes", "job-originating-user-name")
	}
	return append(b, 3)
}

// attribute is the first value of a named text in an answer of this machine's
// own CUPS; "" where there is none.
func attribute(content []byte, name string) string {
	_, rest, found := bytes.Cut(content, append(binary.BigEndian.AppendUint16(nil, uint16(len(name))), name...))
	if !found || len(rest) < 2 {
		return ""
	}
	length := int(binary.BigEndian.Uint16(rest))
	if len(rest) < 2+length {
		return ""
	}
	return string(rest[2 : 2+length])
}
