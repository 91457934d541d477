package gear

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	constatv1 "constat/proto/constat/v1"
)

// What devices are, by how they describe themselves: system, version, model.
func TestDescribe(t *testing.T) {
	for text, want := range map[string]string{
		"Cisco Firepower Threat Defense, Version 7.2.5 (Build 208)":                                                                             "FTD|7.2.5|",
		"Cisco FirePOWER Threat Defense, Version 6.2.0.9 (Build 12), ASA Version 9.7(1)19":                                                      "FTD|6.2.0.9|",
		"Cisco Adaptive Security Appliance Version 9.16(4)":                                                                                     "ASA|9.16(4)|",
		"Cisco NX-OS(tm) nxos.9.3.10.bin, Software (nxos), Version 9.3(10), RELEASE SOFTWARE Copyright (c) 2002-2022":                           "NX-OS|9.3(10)|",
		"Cisco IOS XR Software (Cisco ASR9K Series), Version 6.5.3[Default] Copyright (c) 2019 by Cisco Systems, Inc.":                          "IOS-XR|6.5.3|",
		"Cisco IOS XR Software (NCS-5500), Version 7.3.2":                                                                                       "IOS-XR|7.3.2|",
		"Cisco IOS Software [Amsterdam], Catalyst L3 Switch Software (CAT9K_IOSXE), Version 17.3.4, RELEASE SOFTWARE (fc3)":                     "IOS-XE|17.3.4|",
		"Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M), Version 12.2(55)SE12, RELEASE SOFTWARE (fc2)":                                  "IOS|12.2(55)SE12|",
		"Cisco Internetwork Operating System Software IOS (tm) C2950 Software (C2950-I6K2L2Q4-M), Version 12.1(22)EA14, RELEASE SOFTWARE (fc1)": "IOS|12.1(22)EA14|",
		// Of a release that is called as a model is.
		"Cisco IOS Software, Catalyst 4500 L3 Switch Software (cat4500-IPBASEK9-M), Version 15.0(2)SG12, RELEASE SOFTWARE": "IOS|15.0(2)SG12|",
		"Cisco Controller": "AireOS||",
		"Cisco Systems WS-C6509-E Cisco Catalyst Operating System Software, Version 8.7(3) Copyright (c) 1995-2009":                        "CatOS|8.7(3)|WS-C6509-E",
		"Catalyst 1200 Series Smart Switch, 16-port GE, PoE (C1200-16P-2G)":                                                                "Small Business||C1200-16P-2G",
		"Linux, Cisco Systems, Inc WAP361 (WAP361-A-K9), Version 1.0.4.2":                                                                  "|1.0.4.2|WAP361-A-K9",
		"SG350-28P 28-Port Gigabit PoE Managed Switch":                                                                                     "||SG350-28P",
		"Meraki MR36 Cloud Managed AP":                                                                                                     "||MR36",
		"Juniper Networks, Inc. ex2300-24t Ethernet Switch, kernel JUNOS 18.4R2.7, Build date: 2019-06-28":                                 "JUNOS|18.4R2.7|EX2300-24T",
		"Arista Networks EOS version 4.26.1F running on an Arista Networks DCS-7050TX-48":                                                  "EOS|4.26.1F|DCS-7050TX-48",
		"Aruba JL725A 6200F 24G CL4 4SFP+370W Swch ML.10.09.1010":                                                                          "ArubaOS-CX|ML.10.09.1010|JL725A",
		"ArubaOS (MODEL: 315), Version 8.6.0.4-8.6.0.4":                                                                                    "ArubaOS|8.6.0.4-8.6.0.4|315",
		"ArubaOS Version 6.4.4.4-4.2.3.1":                                                                                                  "ArubaOS|6.4.4.4-4.2.3.1|",
		"HP J9773A 2530-24G-PoEP Switch, revision YA.16.10.0002, ROM YA.15.20 (/ws/build)":                                                 "ProCurve|YA.16.10.0002|J9773A",
		"PROCURVE J9028B - PB.03.10":                                                                                                       "ProCurve|PB.03.10|J9028B",
		"HP V1810-24G, PK.1.22, eCos-2.0, CFE-3.8":                                                                                         "ProCurve|PK.1.22|V1810-24G",
		"HP Stack, revision KB.16.11.0001":                                                                                                 "ProCurve|KB.16.11.0001|",
		"Aruba Instant On 1930 24G 4SFP/SFP+ Switch JL682A, InstantOn_1930_1.0.5.0 (139), Linux 4.4.120":                                   "|1.0.5.0|JL682A",
		"HP Comware Platform Software, Software Version 7.1.045, Release 2418 HP FF 5700-32XGT-8XG-2QSFP+  Switch Copyright (c) 2010-2014": "Comware|7.1.045, Release 2418|FF 5700-32XGT-8XG-2QSFP+",
		"HP V1910-24G Switch Software Version 5.20 Release 1513P62":                                                                        "Comware|5.20 Release 1513P62|V1910-24G",
		"S5720-28X-PWR-LI-AC Huawei Versatile Routing Platform Software VRP (R) software,Version 5.170 (S5720 V200R010C00SPC600)":          "VRP|V200R010C00SPC600|S5720-28X-PWR-LI-AC",
		"Huawei Versatile Routing Platform Software VRP (R) software, Version 8.200 (NetEngine 8000 V800R012C10SPC300) Copyright (C) 2012-2020 Huawei Technologies Co., Ltd. HUAWEI NetEngine 8000 M14": "VRP|V800R012C10SPC300|NetEngine 8000 M14",
		"RouterOS CRS326-24G-2S+":                                                                                     "RouterOS||CRS326-24G-2S+",
		"FortiGate-81F v7.0.12,build0523b0523,230606 (GA.M)":                                                          "FortiOS|7.0.12|",
		"ExtremeXOS (X460G2-48t-10G4) version 22.7.1.2 by release-manager on Thu Jun 6":                               "EXOS|22.7.1.2|X460G2-48t-10G4",
		"Ruckus Wireless, Inc. ICX7150-24P, IronWare Version 08.0.95bT213 Compiled on":                                "IronWare|08.0.95bT213|ICX7150-24P",
		"Dell Networking OS Operating System Version: 2.0 Application Software Version: 9.14(1.0) Series: S3048-ON C": "OS9|9.14(1.0)|S3048-ON",
		"Dell EMC Networking N1548P, 6.6.0.13, Linux 3.6.5, Not Available":                                            "OS6|6.6.0.13|Dell EMC Networking N1548P",
		"US-16-150W, 5.43.23.12533, Linux 3.6.5":                                                                      "|5.43.23.12533|US-16-150W",
		"GS748Tv5 ProSafe 48-port Gigabit Ethernet Smart Switch, 6.3.1.11, B1.0.0.4":                                  "|6.3.1.11|GS748Tv5",
		"Allied Telesis router/switch, Software (AlliedWare Plus) Version 5.5.0-1.1":                                  "AlliedWare Plus|5.5.0-1.1|",
		"DGS-1510-52 Gigabit Ethernet SmartPro Switch":                                                                "||DGS-1510-52",
		"HP ETHERNET": "||",
		"Linux box 5.10.0-21-amd64 #1 SMP Debian 5.10.162-1 x86_64": "||",
	} {
		d, _ := describe(softwares, text)
		if got := strings.Join([]string{d.os, d.version, d.model}, "|"); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// Printers that only sysDescr names.
func TestPrintersDescribed(t *testing.T) {
	for text, want := range map[string]string{
		"OKI OkiLAN 8500e Rev.01.23 10/100BASE Ethernet PrintServer: Attached to MC362 Rev.02.71 : Copyright": "|MC362|02.71",
		"HP ETHERNET MULTI-ENVIRONMENT,SN:CNTEST0002,FN:1F31B6C,SVCID:1,PID:HP Color LaserJet MFP M281":       "HP|HP Color LaserJet MFP M281|",
		"RICOH MP C2504 1.21 / RICOH Network Printer C model / RICOH Network Scanner C model":                 "Ricoh|RICOH MP C2504|1.21",
		"Lexmark MS811 version NS.DN.N219 kernel 2.6.6 All-N-1":                                               "Lexmark|Lexmark MS811|NS.DN.N219",
		"Xerox AltaLink C8055; SS 100.002.057.09608, NC 100.002.09608":                                        "Xerox|Xerox AltaLink C8055|",
		"Samsung ML-2855 Series OS 1.01.15.47 02-10-2010;Engine 1.01.25;NIC V4.01.09(ML-285x)":                "Samsung|Samsung ML-2855 Series|1.01.15.47",
		"Samsung CLX-3175 Series;V1.00.01.64 Sep-27-2010;Engine 1.77.81":                                      "Samsung|Samsung CLX-3175 Series|",
		"Canon LBP6780 /P":                           "Canon|Canon LBP6780|",
		"KONICA MINOLTA bizhub C3350":                "Konica Minolta|KONICA MINOLTA bizhub C3350|",
		"KYOCERA Document Solutions Printing System": "||",
	} {
		id := &constatv1.GearIdentity{}
		fallBack(id, text)
		if got := strings.Join([]string{id.GetVendor(), id.GetModel(), id.GetVersion()}, "|"); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	id := &constatv1.GearIdentity{Vendor: proto.String("HP"), Model: proto.String("HP LaserJet 4250")}
	if fallBack(id, "HP ETHERNET MULTI-ENVIRONMENT,SN:X,PID:Room 7"); id.GetModel() != "HP LaserJet 4250" {
		t.Errorf("the owner's name for a printer became its model: %v", id)
	}
}
