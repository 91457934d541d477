package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	constatv1 "constat/proto/constat/v1"
)

func TestRadiosByFiles(t *testing.T) {
	root := machine(t, "wifi")
	s := Observe(t.Context(), Config{Root: root}, []string{"wifi"})
	want := &constatv1.Wifi{Radios: []*constatv1.Radio{
		{Link: set("wlp0s20f3"), Driver: set("iwlwifi"), SoftBlocked: set(false), HardBlocked: set(true), State: set("off"), FirmwareCrashes: set(int32(2)), LastDisconnectAt: timestamppb.New(time.Unix(1700000100, 0))},
		{Link: set("wlxdc"), Driver: set("mt76x2u"), SoftBlocked: set(false), HardBlocked: set(false)},
	}}
	if diff := cmp.Diff(want, s.Wifi, protocmp.Transform()); diff != "" {
		t.Errorf("wifi (-want +got):\n%s", diff)
	}
	var gaps []string
	for _, g := range s.Manifest.Groups[0].Observation.Gaps {
		gaps = append(gaps, g.Fact+" "+g.Status)
	}
	if want := []string{"service_state unsupported", "radios unsupported"}; !slices.Equal(gaps, want) {
		t.Errorf("gaps %v, want %v", gaps, want)
	}

	// A key of the platform is for all radios.
	dir := filepath.Join(root, "sys/class/rfkill/rfkill3")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"type": "wlan", "name": "ideapad_wlan", "soft": "1", "hard": "0"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, radio := range Observe(t.Context(), Config{Root: root}, []string{"wifi"}).Wifi.Radios {
		if !radio.GetSoftBlocked() || radio.GetState() != "off" {
			t.Errorf("with airplane mode: %v", radio)
		}
	}
}

func TestNoRadio(t *testing.T) {
	s := Observe(t.Context(), Config{Root: tree(t, map[string]string{"sys/class/ieee80211/.keep": ""})}, []string{"wifi"})
	if s.Wifi == nil {
		t.Fatal(s.Manifest.Groups[0].Observation)
	}
	s = Observe(t.Context(), Config{Root: t.TempDir()}, []string{"wifi"})
	if o := s.Manifest.Groups[0].Observation; o.Status != "unsupported" || !strings.Contains(o.Reason, "no wireless stack") {
		t.Errorf("a kernel without Wi-Fi: %v", o)
	}
}

// managerSettings, managerDevices and supplicantRoot are the parts of the
// services that are asked.
type managerSettings struct{}

func (managerSettings) ListConnections() ([]dbus.ObjectPath, *dbus.Error) {
	return []dbus.ObjectPath{"/corp", "/home"}, nil
}

type managerProfile struct{ name, method string }

func (p managerProfile) GetSettings() (map[string]map[string]dbus.Variant, *dbus.Error) {
	return map[string]map[string]dbus.Variant{
		"connection":               {"autoconnect": dbus.MakeVariant(p.name == "Corp")},
		"802-11-wireless":          {"ssid": dbus.MakeVariant([]byte(p.name))},
		"802-11-wireless-security": {"key-mgmt": dbus.MakeVariant(p.method)},
	}, nil
}

type managerDevices struct{}

func (managerDevices) GetDeviceByIpIface(link string) (dbus.ObjectPath, *dbus.Error) {
	if link != "wlxdc" {
		return "", dbus.MakeFailedError(os.ErrNotExist)
	}
	return "/device", nil
}

type supplicantRoot struct{}

func (supplicantRoot) GetInterface(link string) (dbus.ObjectPath, *dbus.Error) {
	switch link {
	case "wlxdc":
		return "/supplicant", nil
	case "wlp0s20f3":
		return "", dbus.NewError("org.freedesktop.DBus.Error.AccessDenied", nil)
	}
	return "", dbus.NewError(supplicant+".InterfaceUnknown", nil)
}

func TestWifiServicesOverBus(t *testing.T) {
	root := machine(t, "wifi")
	conn := startBus(t, root)
	export(t, conn, "/org/freedesktop/NetworkManager/Settings", managerSettings{}, map[string]map[string]any{networkManager + ".Settings": {}})
	export(t, conn, "/corp", managerProfile{"Corp", "wpa-eap"}, map[string]map[string]any{networkManager + ".Settings.Connection": {}})
	export(t, conn, "/home", managerProfile{"CANARY at home", "sae"}, map[string]map[string]any{networkManager + ".Settings.Connection": {}})
	export(t, conn, "/org/freedesktop/NetworkManager", managerDevices{}, map[string]map[string]any{networkManager: {}})
	type stateReason struct{ State, Reason uint32 }
	export(t, conn, "/device", nil, map[string]map[string]any{networkManager + ".Device": {
		"StateReason": stateReason{managerNeedAuth, reasonSupplicantGone}, "ActiveConnection": dbus.ObjectPath("/active"),
	}})
	export(t, conn, "/active", nil, map[string]map[string]any{networkManager + ".Connection.Active": {"Connection": dbus.ObjectPath("/corp")}})
	export(t, conn, "/fi/w1/wpa_supplicant1", supplicantRoot{}, map[string]map[string]any{supplicant: {}})
	export(t, conn, "/supplicant", nil, map[string]map[string]any{supplicant + ".Interface": {
		"DisconnectReason": int32(23), "AuthStatusCode": int32(0), "AssocStatusCode": int32(0),
	}})
	for _, name := range []string{networkManager, supplicant} {
		if _, err := conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
			t.Fatal(err)
		}
	}
	s := Observe(t.Context(), Config{Root: root}, []string{"wifi"})
	want := &constatv1.Wifi{ServiceState: set("running"), Radios: []*constatv1.Radio{
		{Link: set("wlp0s20f3"), Driver: set("iwlwifi"), SoftBlocked: set(false), HardBlocked: set(true), State: set("off"), FirmwareCrashes: set(int32(2)), LastDisconnectAt: timestamppb.New(time.Unix(1700000100, 0))},
		{
			Link: set("wlxdc"), Driver: set("mt76x2u"), SoftBlocked: set(false), HardBlocked: set(false), Ssid: set("Corp"),
			LastFailure: set("eapRejected"), LastReason: set(int32(23)), LastReasonByAp: set(true),
		},
	}}
	if diff := cmp.Diff(want, s.Wifi, protocmp.Transform()); diff != "" {
		t.Errorf("wifi, %v (-want +got):\n%s", s.Manifest.Groups[0].Observation, diff)
	}
	denied := slices.ContainsFunc(s.Manifest.Groups[0].Observation.Gaps, func(g *constatv1.Gap) bool { return g.Fact == "radios.last_reason" && g.Status == "denied" })
	if !denied {
		t.Errorf("wpa_supplicant's refusal is not told: %v", s.Manifest.Groups[0].Observation.Gaps)
	}
	if strings.Contains(prototext.Format(s), "CANARY") {
		t.Error("the snapshot tells which networks people keep")
	}
	bus := &wifiBus{conn, map[string]bool{networkManager: true}}
	if err := bus.askSupplicant(t.Context(), &radio{Radio: &constatv1.Radio{Link: set("wlan9")}}); err != nil {
		t.Errorf("a link that wpa_supplicant leaves alone: %v", err)
	}
	if got := bus.wanted(t.Context()); !slices.Equal(got, []string{"Corp"}) {
		t.Errorf("wanted networks %q", got)
	}
}

// TestWirelessNumbers compares our numbers of nl80211 with the kernel's header,
// as the system package has it.
func TestWirelessNumbers(t *testing.T) {
	for name, pair := range map[string][2]int{
		"commands":      {nlGetStation<<24 | nlGetInterface<<16 | nlGetScan<<8 | nlGetSurvey, unix.NL80211_CMD_GET_STATION<<24 | unix.NL80211_CMD_GET_INTERFACE<<16 | unix.NL80211_CMD_GET_SCAN<<8 | unix.NL80211_CMD_GET_SURVEY},
		"wiphy":         {nlWiphy, unix.NL80211_ATTR_WIPHY},
		"ifindex":       {nlIfindex, unix.NL80211_ATTR_IFINDEX},
		"ifname":        {nlIfname, unix.NL80211_ATTR_IFNAME},
		"iftype":        {nlIftype, unix.NL80211_ATTR_IFTYPE},
		"mac":           {nlMAC, unix.NL80211_ATTR_MAC},
		"station":       {nlStation, unix.NL80211_ATTR_STA_INFO},
		"frequency":     {nlFrequency, unix.NL80211_ATTR_WIPHY_FREQ},
		"bss":           {nlBSS, unix.NL80211_ATTR_BSS},
		"ssid":          {nlSSID, unix.NL80211_ATTR_SSID},
		"survey":        {nlSurvey, unix.NL80211_ATTR_SURVEY_INFO},
		"width":         {nlChannelWidth, unix.NL80211_ATTR_CHANNEL_WIDTH},
		"managed":       {nlIftypeStation, unix.NL80211_IFTYPE_STATION},
		"bssid":         {nlBSSID, unix.NL80211_BSS_BSSID},
		"bss freq":      {nlBSSFrequency, unix.NL80211_BSS_FREQUENCY},
		"capability":    {nlCapability, unix.NL80211_BSS_CAPABILITY},
		"elements":      {nlElements, unix.NL80211_BSS_INFORMATION_ELEMENTS},
		"mBm":           {nlSignalMBm, unix.NL80211_BSS_SIGNAL_MBM},
		"status":        {nlBSSStatus, unix.NL80211_BSS_STATUS},
		"seen":          {nlSeenMsAgo, unix.NL80211_BSS_SEEN_MS_AGO},
		"beacon":        {nlBeacon, unix.NL80211_BSS_BEACON_IES},
		"signal":        {nlSignal, unix.NL80211_STA_INFO_SIGNAL},
		"tx rate":       {nlTxBitrate, unix.NL80211_STA_INFO_TX_BITRATE},
		"tx packets":    {nlTxPackets, unix.NL80211_STA_INFO_TX_PACKETS},
		"tx retries":    {nlTxRetries, unix.NL80211_STA_INFO_TX_RETRIES},
		"tx failed":     {nlTxFailed, unix.NL80211_STA_INFO_TX_FAILED},
		"average":       {nlSignalAvg, unix.NL80211_STA_INFO_SIGNAL_AVG},
		"rx rate":       {nlRxBitrate, unix.NL80211_STA_INFO_RX_BITRATE},
		"flags":         {nlStationFlags, unix.NL80211_STA_INFO_STA_FLAGS},
		"rate":          {nlBitrate, unix.NL80211_RATE_INFO_BITRATE},
		"rate 32":       {nlBitrate32, unix.NL80211_RATE_INFO_BITRATE32},
		"channel":       {nlSurveyFrequency, unix.NL80211_SURVEY_INFO_FREQUENCY},
		"noise":         {nlSurveyNoise, unix.NL80211_SURVEY_INFO_NOISE},
		"in use":        {nlSurveyInUse, unix.NL80211_SURVEY_INFO_IN_USE},
		"time":          {nlSurveyTime, unix.NL80211_SURVEY_INFO_TIME},
		"busy":          {nlSurveyBusy, unix.NL80211_SURVEY_INFO_TIME_BUSY},
		"associated":    {bssAssociated, unix.NL80211_BSS_STATUS_ASSOCIATED},
		"width 320":     {int(channelWidths[unix.NL80211_CHAN_WIDTH_320]), 320},
		"width 160":     {int(channelWidths[unix.NL80211_CHAN_WIDTH_160]), 160},
		"width 80":      {int(channelWidths[unix.NL80211_CHAN_WIDTH_80]), 80},
		"authorized":    {1, unix.NL80211_STA_FLAG_AUTHORIZED},
		"protected":     {4, unix.NL80211_STA_FLAG_MFP},
		"authenticated": {bssAuthenticated, unix.NL80211_BSS_STATUS_AUTHENTICATED},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %d, the kernel's is %d", name, pair[0], pair[1])
		}
	}
}
