package mixer

import (
	"os"
	"testing"
	"unsafe"
)

// The kernel takes a structure's size from the number of the request.
func TestStructuresAreTheKernels(t *testing.T) {
	for request, size := range map[uintptr]uintptr{elemList: unsafe.Sizeof(list{}), elemInfo: unsafe.Sizeof(info{}), elemRead: unsafe.Sizeof(value{})} {
		if want := request >> 16 & 0x3fff; size != want {
			t.Errorf("request %#x: %d bytes, the kernel has %d", request, size, want)
		}
	}
}

// A file that is no card is refused, and nothing is made of it.
func TestNoCard(t *testing.T) {
	if controls, err := Read(os.DevNull); err == nil || controls != nil {
		t.Errorf("controls of nothing: %v", controls)
	}
	if _, err := Read("/nonexistent"); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
