// Package hidpp asks a Logitech receiver (Unifying, Bolt, Nano, Lightspeed)
// which devices are paired with it, and how they are: HID++ 1.0 registers of the
// receiver, HID++ 2.0 features of the devices behind it. It only reads: no
// register is written, no device is woken, paired or changed.
//
// Reports have a fixed size and answers are matched to their question, so that
// it works while the kernel's own driver talks to the same receiver. Logitech
// published the protocols in part ("HID++ 1.0" for Unifying, "HID++ 2.0 draft");
// the rest is common knowledge of the Linux kernel's hid-logitech-hidpp.
package hidpp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Device is an open hidraw node (or what stands for one in a test): each read
// gives one report, each write takes one.
type Device interface {
	io.ReadWriter
	SetReadDeadline(time.Time) error
}

// A report: id, device index, sub id or feature index, address or function, and
// parameters. Short ones have 7 bytes, long ones 20.
const (
	shortReport = 0x10
	longReport  = 0x11
	shortLength = 7
	longLength  = 20
	// receiver is the device index of the receiver itself.
	receiver = 0xff
)

// Sub ids of HID++ 1.0.
const (
	readShort   = 0x81
	readLong    = 0x83
	errorReport = 0x8f
	// errorFeature stands where the feature index is, in errors of HID++ 2.0.
	errorFeature = 0xff
)

// mark is in the low half of a function's byte: the software's id, by which an
// answer is told from one to the kernel, which uses 1.
const mark = 0x0b

const (
	// patience is how long one answer may take; one over the radio needs some
	// 10 ms, and more from a device that has to wake.
	patience = 250 * time.Millisecond
	// maxStrangers is how many other reports (key strokes, movements, answers to
	// the kernel) are passed over while waiting for one.
	maxStrangers = 256
)

// fault is an error that a receiver or device reports.
type fault byte

func (f fault) Error() string { return fmt.Sprintf("HID++ error %d", byte(f)) }

// Errors of HID++ 1.0 that tell something.
const (
	faultUnknownCommand fault = 0x01 // what a device of HID++ 1.0 says to 2.0
	faultNotConnected   fault = 0x04
	faultNoDevice       fault = 0x08
	faultUnreachable    fault = 0x09
)

// errSilent says that no answer came in time.
var errSilent = errors.New("no answer")

// parameters are what follows the header of an answer; sixteen, of which a short
// report fills three.
type parameters [longLength - 4]byte

// session is one dialogue with a receiver.
type session struct {
	ctx    context.Context
	device Device
}

// register reads a register of the receiver or, of HID++ 1.0, of a device.
func (s *session) register(index, sub, address byte, params ...byte) (parameters, error) {
	return s.ask(index, sub, address, params)
}

// call calls a function of a device's feature (HID++ 2.0).
func (s *session) call(index, feature, function byte, params ...byte) (parameters, error) {
	return s.ask(index, feature, function<<4|mark, params)
}

// ask sends a question and waits for its answer. The error is a fault where the
// other side reports one, errSilent where it says nothing.
func (s *session) ask(index, sub, address byte, params []byte) (parameters, error) {
	var none parameters
	if err := s.ctx.Err(); err != nil {
		return none, err
	}
	question := [shortLength]byte{shortReport, index, sub, address}
	copy(question[4:], params)
	if _, err := s.device.Write(question[:]); err != nil {
		return none, fmt.Errorf("asking the receiver: %w", err)
	}
	deadline := time.Now().Add(patience)
	if end, ok := s.ctx.Deadline(); ok && end.Before(deadline) {
		deadline = end
	}
	if err := s.device.SetReadDeadline(deadline); err != nil {
		return none, fmt.Errorf("reading from the receiver: %w", err)
	}
	var buffer [64]byte
	for range maxStrangers {
		n, err := s.device.Read(buffer[:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return none, errSilent
		case err != nil:
			return none, fmt.Errorf("reading from the receiver: %w", err)
		}
		if answer, err, ours := match(buffer[:n], index, sub, address); ours {
			// A register's answer repeats what was asked of it first.
			if err == nil && sub == readLong && len(params) > 0 && answer[0] != params[0] {
				continue
			}
			return answer, err
		}
	}
	return none, errSilent
}

// match reads a report as the answer to a question; ours is false when it is
// another's.
func match(report []byte, index, sub, address byte) (answer parameters, err error, ours bool) {
	switch {
	case len(report) == shortLength && report[0] == shortReport:
	case len(report) == longLength && report[0] == longReport:
	default:
		return answer, nil, false
	}
	if report[1] != index {
		return answer, nil, false
	}
	if (report[2] == errorReport || report[2] == errorFeature) && report[3] == sub && report[4] == address {
		return answer, fault(report[5]), true
	}
	if report[2] != sub || report[3] != address {
		return answer, nil, false
	}
	copy(answer[:], report[4:])
	return answer, nil, true
}
