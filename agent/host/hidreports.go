package host

// vendorReports returns the ids of the reports that a HID report descriptor
// (HID 1.11 section 6.2.2) puts on a page of its vendor's, which is where HID++
// speaks: 0x10 and 0x11.
func vendorReports(descriptor []byte) map[byte]bool {
	reports := map[byte]bool{}
	vendor := false
	for len(descriptor) > 0 {
		prefix := descriptor[0]
		size := int(prefix & 3)
		if size == 3 {
			size = 4
		}
		const longItem = 0xfe
		if prefix == longItem && len(descriptor) > 1 {
			size = 2 + int(descriptor[1])
		}
		if len(descriptor) < 1+size {
			break
		}
		data := descriptor[1 : 1+size]
		descriptor = descriptor[1+size:]
		switch prefix &^ 3 {
		case 0x04: // usage page, low byte first
			vendor = len(data) == 2 && data[1] == 0xff
		case 0x84: // report id
			if vendor && len(data) == 1 {
				reports[data[0]] = true
			}
		}
	}
	return reports
}
