package host

import (
	"encoding/binary"
	"path"
	"slices"
	"strings"

	constatv1 "constat/proto/constat/v1"
)

// officeApplications are Office's keys of the registry, and the programs they
// belong to, as crashes name them.
var officeApplications = []struct{ key, program string }{
	{"Access", "MSACCESS.EXE"}, {"Excel", "EXCEL.EXE"}, {"MS Project", "WINPROJ.EXE"}, {"OneNote", "ONENOTE.EXE"}, {"Outlook", "OUTLOOK.EXE"},
	{"PowerPoint", "POWERPNT.EXE"}, {"Publisher", "MSPUB.EXE"}, {"Visio", "VISIO.EXE"}, {"Word", "WINWORD.EXE"},
}

// officeChannels are the update channels of click-to-run Office by the last part
// of their address, in the words of its deployment tool (learn.microsoft.com,
// "Overview of update channels", and "Change the Microsoft 365 Apps update
// channel").
var officeChannels = map[string]string{
	"492350f6-3a01-4f97-b9c0-c7c6ddf67d60": "Current",
	"64256afe-f5d9-4f86-8936-8840a6a4f5be": "CurrentPreview",
	"55336b82-a18d-4dd6-b5f6-9e5095c314a6": "MonthlyEnterprise",
	"7ffbc6bf-bc32-4f92-8982-f9dd17fd3114": "SemiAnnual",
	"b8f9b850-328d-4355-9145-c59439a0c4cf": "SemiAnnualPreview",
	"5440fd1f-7ecb-4221-8110-145efaa6372f": "BetaChannel",
	"f2e724c1-748f-4b47-8fb8-8e0d210e9208": "PerpetualVL2019",
	"5030841d-c919-4594-8d2d-84ae4f96e58e": "PerpetualVL2021",
	"7983bac0-e531-40cf-be00-fd24fe66619c": "PerpetualVL2024",
}

// officeChannel reads the channel out of the configuration of click-to-run: what
// policy or a person chose comes before what it was installed from. One that has
// no word is told by its id.
func officeChannel(configuration registryKey) *string {
	for _, name := range []string{"UpdateChannel", "CDNBaseUrl"} {
		id := strings.ToLower(path.Base(configuration.text(name)))
		if word := officeChannels[id]; word != "" {
			return &word
		}
		if len(id) == 36 {
			return &id
		}
	}
	return nil
}

// addIn is an add-in of an Office program with what only its crashes are joined
// by: the module, and its id.
type addIn struct {
	*constatv1.AddIn
	id, module string
}

// officeAddIn reads an add-in's key. LoadBehavior (learn.microsoft.com, "Registry
// entries for VSTO Add-ins"): 3 with the program, 8 and 9 when it is wanted, 16
// once; 0, 1 and 2 are not to load, or failed to.
func officeAddIn(program string, key registryKey, module string) addIn {
	a := addIn{AddIn: &constatv1.AddIn{Program: set(program), Name: filled(key.text("FriendlyName"))}, id: key.name, module: module}
	if a.Name == nil {
		a.Name = set(key.name)
	}
	if n := key.number("LoadBehavior"); n != nil {
		a.Enabled = set(*n == 3 || *n == 8 || *n == 9 || *n == 16)
	}
	return a
}

// disabledItem reads a value of Office's Resiliency\DisabledItems: a kind, the
// lengths of two texts in bytes, and the texts, of which the first is the module
// with its path and the second the name that people see. ok is false for what is
// laid out otherwise.
func disabledItem(raw []byte) (module, name string, ok bool) {
	if len(raw) < 12 {
		return "", "", false
	}
	first, second := binary.LittleEndian.Uint32(raw[4:]), binary.LittleEndian.Uint32(raw[8:])
	rest := raw[12:]
	if uint64(first)+uint64(second) > uint64(len(rest)) {
		return "", "", false
	}
	module, name = utf16Text(rest[:first]), utf16Text(rest[first:first+second])
	return windowsBase(module), name, module != "" || name != ""
}

// windowsBase is the base name of a path of Windows.
func windowsBase(text string) string { return text[strings.LastIndexAny(text, `\/`)+1:] }

// disable notes that the program itself switched an add-in off after it failed.
func disable(all []addIn, program, module, name string) []addIn {
	i := slices.IndexFunc(all, func(a addIn) bool {
		return a.GetProgram() == program && (module != "" && strings.EqualFold(a.module, module) || name != "" && (strings.EqualFold(a.GetName(), name) || strings.EqualFold(a.id, name)))
	})
	if i < 0 {
		if name == "" {
			name = module
		}
		all = append(all, addIn{AddIn: &constatv1.AddIn{Program: set(program), Name: set(name)}, module: module})
		i = len(all) - 1
	}
	all[i].Enabled, all[i].DisabledByCrash = set(false), set(true)
	return all
}

// sortAddIns brings add-ins into order and takes those out that stand twice: for
// all persons and for one, in both views of the registry.
func sortAddIns(all []addIn) []*constatv1.AddIn {
	key := func(a addIn) string { return a.GetProgram() + "\x00" + strings.ToLower(a.GetName()) }
	slices.SortStableFunc(all, func(a, b addIn) int { return strings.Compare(key(a), key(b)) })
	var sorted []*constatv1.AddIn
	for i, a := range all {
		if i > 0 && key(all[i-1]) == key(a) {
			last := sorted[len(sorted)-1]
			last.Enabled, last.DisabledByCrash, last.Version = or(last.Enabled, a.Enabled), or(last.DisabledByCrash, a.DisabledByCrash), or(last.Version, a.Version)
			if a.GetDisabledByCrash() {
				last.Enabled, last.DisabledByCrash = a.Enabled, a.DisabledByCrash
			}
			continue
		}
		sorted = append(sorted, a.AddIn)
	}
	return sorted[:min(len(sorted), maxAddIns)]
}

// maxAddIns is how many add-ins a snapshot names.
const maxAddIns = 300

// addIns says of crashes in the module of an add-in which one it was.
func (l *crashLog) addIns(all []addIn) {
	for _, c := range l.programs {
		for _, a := range all {
			if a.module != "" && strings.EqualFold(a.GetProgram(), c.GetProgram()) && strings.EqualFold(a.module, c.GetModule()) {
				c.AddIn = a.Name
			}
		}
	}
}
