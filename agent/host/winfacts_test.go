package host

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"constat/internal/lab"
	constatv1 "constat/proto/constat/v1"
)

// windowsFacts is evidence for the table of facts: what the decoders told of
// answers that are composed from Microsoft's documentation. Nothing in it was
// seen on Windows.
const windowsFacts = "testdata/facts-windows.txt"

// TestWindowsFacts keeps that list. CONSTAT_FACTS=write writes it anew.
func TestWindowsFacts(t *testing.T) {
	words := map[string]string{}
	for _, path := range lab.SetFacts(windowsSnapshot(t)) {
		words[path] = "composed"
	}
	for _, u := range windowsUntold {
		word := "not told"
		if errors.Is(u.why, errWindowsUnasked) || strings.Contains(u.why.Error(), "not asked") || strings.Contains(u.why.Error(), "not tried") || strings.Contains(u.why.Error(), "not read") {
			word = "not asked"
		}
		for fact := range strings.FieldsSeq(u.facts) {
			path := u.group + "." + fact
			if words[path] != "" {
				t.Errorf("%s is %s, and was told", path, u.why)
			}
			words[path] = word
		}
	}
	var now strings.Builder
	for _, path := range slices.Sorted(maps.Keys(words)) {
		now.WriteString(path + "\t" + words[path] + "\n")
	}
	before, err := os.ReadFile(windowsFacts)
	if err == nil && string(before) == now.String() {
		return
	}
	if os.Getenv("CONSTAT_FACTS") != "write" {
		t.Fatal(windowsFacts + " is stale: CONSTAT_FACTS=write go test -run TestWindowsFacts ./agent/host, then ./internal/lab's table")
	}
	if err := os.WriteFile(windowsFacts, []byte(now.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// windowsSnapshot is all that the composed answers tell.
func windowsSnapshot(t *testing.T) *constatv1.Snapshot {
	t.Helper()
	stack, network := officeStack(), &constatv1.Network{}
	stack.fill(network)
	settings, err := parseConnectionSettings(connectionBlob(1|proxyManual, "proxy.example:3128", "<local>", ""))
	if err != nil {
		t.Fatal(err)
	}
	network.Proxy = settings.proxyOf("user")
	network.Firewall = windowsFirewall([]firewallProfile{{enabled: set(true), blocksOut: set(true)}}, nil)
	counters := stack.linkCounters()
	counters.Gateways = stack.gatewayStates()

	tree := newPlugTree(deskDevices())
	tree.ports[`USB\VID_046D&PID_C31C\5&2&0&3`] = hubPort{
		status: 1, configuration: 1, bcdUSB: 0x0310, descriptors: []byte{9, 2, 59, 0, 2, 1, 0, 0xa0, 45}, fast: set(true), capable: set(true),
	}
	tree.ports[`USB\VID_0000&PID_0002\5&2&0&5`] = hubPort{status: 2}
	usb := &constatv1.Usb{}
	usb.Devices, usb.Failures = tree.usb()
	hardware := &constatv1.Hardware{}
	graphics := newPlugTree([]plugDevice{{
		instance: `PCI\VEN_8086&DEV_9A49&SUBSYS_0A681028&REV_01\3&11583659&0&10`, class: "Display", service: "igfxn", compatible: []string{`PCI\CC_0300`},
		maker: "Intel Corporation", description: "@oem4.inf,%x%;Intel(R) Iris(R) Xe Graphics", driverVersion: "31.0.101.2115",
	}})
	hardware.BusDevices, _ = tree.busDevices()
	_, hardware.Gpus = graphics.busDevices()

	disk, err := parseStorageDevice(storageDescriptor(11, 0, "Kingston", "ST1000LM035", "SDM2", "WLJ6WM0P"))
	if err != nil {
		t.Fatal(err)
	}
	disk.Rotational = parseStoragePenalty(words(12, 12, 1))
	disk.SizeBytes = parseGeometry(make([]byte, 32))
	h := health{disk, &constatv1.DiskReading{}}
	page := make([]byte, nvmePage)
	page[1], page[2], page[3], page[4] = 0x3b, 0x01, 100, 10
	prediction := make([]byte, 4+512)
	for i, id := range []byte{5, 9, 194, 197, 198, 199} {
		prediction[6+12*i], prediction[6+12*i+5] = id, 1
	}
	for _, err := range []error{
		parsePrediction(prediction, h), parseNVMeAnswer(append(words(48, 48+512, 3, 2, 2, 0, nvmeSpecific, nvmePage, 0, 0, 0, 0), page...), h),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	battery := &constatv1.Battery{}
	if _, _, err := addBatteryInformation(battery, words(batterySystem, 1, 0, 60000, 42000, 3000, 1000, 0, 311)); err != nil {
		t.Fatal(err)
	}
	if err := addBatteryStatus(battery, words(2, 21000, 11400, 0), true); err != nil {
		t.Fatal(err)
	}
	power := &constatv1.Power{Batteries: []*constatv1.Battery{battery}, Profile: filled(powerSchemes["{381B4222-F694-41F0-9685-FF5BB260DF2E}"])}
	power.LimitMhz, power.MaxMhz = parseProcessorPower(words(0, 2800, 900, 1400, 0, 0))

	radio := &constatv1.Radio{}
	addRadioState(radio, words(1, 0, 1, 1))
	own, err := addConnection(radio, wlanConnected(1))
	if err != nil {
		t.Fatal(err)
	}
	heard, err := parseBSSList(bssList(), own)
	if err != nil {
		t.Fatal(err)
	}
	addHeard(radio, heard, nil, []string{"office"})

	machine := dell
	machine.productVersion, machine.assetTag = "A01", "IT-0042"
	raw := machine.table()
	structures, err := parseSMBIOS(tableOrFail(t, append(words(0x0003_0300, uint32(len(raw))), raw...)))
	if err != nil {
		t.Fatal(err)
	}
	describeSMBIOS(hardware, structures)
	screen, err := parseEDID(edidDesign{maker: "DEL", product: 0xa0ec, number: 7, year: 33, tags: []byte{0xfc, 0xff}, texts: []string{"DELL P2419H", "8HYF5X2"}}.build())
	if err != nil {
		t.Fatal(err)
	}
	_, connector := displayTargetName(winBuffer{data: composedScreen()})
	screen.Connector = filled(connector)
	hardware.Monitors = []*constatv1.Monitor{screen}
	if hardware.Tpm, err = tpmOf(0, 2); err != nil {
		t.Fatal(err)
	}
	addBatteryTexts(battery, inUTF16("DELL G8VCF6C\x00"), inUTF16("SMP\x00"), inUTF16("4711\x00"))
	numberBatteries(power.Batteries)
	volume := &constatv1.Mount{}
	addExtents(volume, words(1, 0, 0))
	addDirty(volume, words(1))
	power.ThermalZones, power.Chargers = heatOf(composedHeat()), powerStatus{line: 1, flags: 8}.chargers()
	mouse := newPlugTree(composedMouse())
	headset := composedHeadset().device()
	headset.BatteryPercent = mouse.radioBattery(composedHeadset().address)
	spooler := &constatv1.Spooler{FailingModule: spoolerFellOver([]loggedEvent{composedFall(t)}), Restarts: set(scmRestarts(composedRestarts(t), time.Time{})["Print Spooler"])}
	letters := encryptionOf([]bitLockerVolume{{set("C:"), set(uint32(1))}})
	disks, counted := composedQueues()
	queue := decodeQueues(disks, counted)[0].Queue
	papers, waiting := composedJobs()
	addWinJobs(queue, decodeJobs(papers, waiting), composedNow)
	signIn := &constatv1.SignIn{Directory: &constatv1.Directory{}, Accounts: []*constatv1.Account{{TemporaryProfile: temporaryProfile(key("S-1-5-21-1", "State", 0x900))}}}
	localAccount(signIn.Accounts[0], composedAccount(userLockout, 3600, 0), 7200, composedNow)
	trust(signIn.Directory, 0, `\\DC1.example`)
	l, crashes := crashLog{}, &constatv1.Crashes{}
	l.windowsEvents(composedCrashes(t))
	l.fill(crashes, composedNow)
	updates := &constatv1.Updates{}
	updateEvents(updates, composedUpdates(t))
	clock := &constatv1.Clock{}
	if !w32timeStatus(clock, frenchStatus) {
		t.Fatal("w32tm")
	}
	system := &constatv1.Host{ResumedAt: wokeAt([]loggedEvent{composedWake(t)})}
	windowsVersion(system, key("CurrentVersion", "ProductName", "Windows 10 Pro", "DisplayVersion", "23H2", "CurrentBuildNumber", "22631", "UBR", 3447))
	script, err := parseConnectionSettings(connectionBlob(1|proxyPAC, "", "", "http://proxy.example/wpad.dat"))
	if err != nil {
		t.Fatal(err)
	}
	network.Proxy.PacUrl = script.proxyOf("user").PacUrl

	disk.IoErrors = set(diskErrors(composedDiskErrors(t))[1])
	load := &constatv1.Load{
		Disks: []*constatv1.DiskLoad{composedDiskLoad(t)}, Boot: bootOfWindows(composedStart(t), time.Date(2026, 3, 9, 10, 0, 0, 0, time.UTC)),
	}
	return &constatv1.Snapshot{
		Load: load, Network: network, Counters: counters, Usb: usb, Hardware: hardware, Power: power,
		Peripherals: &constatv1.Peripherals{
			Devices:          append(tree.peripherals(), mouse.peripherals()...),
			BluetoothDevices: append(mouse.lowEnergy(), headset),
			Cameras:          []*constatv1.Camera{{Permission: consent{machine: "Deny"}.permission(), UsedBy: set(consentProgram(`C:#x#Zoom.exe`))}},
			Audio:            []*constatv1.AudioEndpoint{{Permission: consent{machine: "Allow"}.permission(), Form: set(audioForms[5]), VolumePercent: volumePercent(0.5)}},
		},
		Clock: clock, Host: system, SignIn: signIn, Crashes: crashes, Updates: updates,
		Printing: &constatv1.Printing{Spooler: spooler, Queues: []*constatv1.Queue{queue}},
		Security: &constatv1.Security{DiskEncrypted: set(letters["C:"] != "none"), Products: []*constatv1.SecurityProduct{composedProduct()}},
		Storage:  &constatv1.Storage{Disks: []*constatv1.Disk{disk}, Mounts: []*constatv1.Mount{{Encryption: set(letters["C:"])}, volume}},
		Readings: &constatv1.Readings{Disks: []*constatv1.DiskReading{h.reading}},
		Wifi:     &constatv1.Wifi{Radios: []*constatv1.Radio{radio}},
	}
}

// composedNow is when composed answers are looked at.
var composedNow = time.Date(2026, 3, 9, 10, 12, 12, 0, time.UTC)

func tableOrFail(t *testing.T, raw []byte) []byte {
	t.Helper()
	table, err := tableOfWindows(raw)
	if err != nil {
		t.Fatal(err)
	}
	return table
}
