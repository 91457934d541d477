package host

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/windows/registry"
)

const clickToRun = `SOFTWARE\Microsoft\Office\ClickToRun`

// officeAddIns reads the add-ins of Office programs: for all persons, in both
// views of the registry and in click-to-run's own, and for those who are signed
// in; and which of them the programs switched off.
func officeAddIns() []addIn {
	type place struct {
		root registry.Key
		path string
		view uint32
		// classes is where the add-ins' modules are registered.
		classes string
	}
	places := []place{
		{registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Office`, 0, `SOFTWARE\Classes`},
		{registry.LOCAL_MACHINE, `SOFTWARE\Microsoft\Office`, registry.WOW64_32KEY, `SOFTWARE\Classes`},
		{registry.LOCAL_MACHINE, clickToRun + `\REGISTRY\MACHINE\Software\Microsoft\Office`, 0, clickToRun + `\REGISTRY\MACHINE\Software\Classes`},
	}
	persons := people()
	for _, person := range persons {
		places = append(places, place{registry.USERS, person + `\Software\Microsoft\Office`, 0, person + `\Software\Classes`})
	}
	var all []addIn
	for _, p := range places {
		for _, application := range officeApplications {
			keys, _ := registryBelow(p.root, p.path+`\`+application.key+`\Addins`, p.view)
			for _, key := range keys[:min(len(keys), maxAddIns)] {
				all = append(all, officeAddIn(application.program, key, addInModule(p.root, p.classes, p.view, key.name)))
			}
		}
	}
	for _, person := range persons {
		const office = `\Software\Microsoft\Office`
		versions, _ := registryNames(registry.USERS, person+office, 0)
		for _, version := range versions {
			if !strings.HasSuffix(version, ".0") {
				continue
			}
			for _, application := range officeApplications {
				place := person + office + `\` + version + `\` + application.key + `\Resiliency\`
				for _, list := range []string{"DisabledItems", "CrashingAddinList"} {
					key, err := registryValues(registry.USERS, place+list, 0)
					if err != nil {
						continue
					}
					for _, value := range sortedNames(key.values) {
						if module, name, ok := disabledItem(key.bytes(value)); ok {
							all = disable(all, application.program, module, name)
						}
					}
				}
			}
		}
	}
	return all
}

// addInModule is the base name of the library behind an add-in's id; "" where it
// is not registered. The library of managed ones is the runtime's, and tells
// nothing.
func addInModule(root registry.Key, classes string, view uint32, id string) string {
	class, err := registryValues(root, classes+`\`+id+`\CLSID`, view)
	if err != nil || class.text("") == "" {
		return ""
	}
	server, err := registryValues(root, classes+`\CLSID\`+class.text("")+`\InprocServer32`, view)
	if err != nil {
		return ""
	}
	module := windowsBase(server.text(""))
	if slices.ContainsFunc([]string{"mscoree.dll", "vstoloader.dll"}, func(runtime string) bool { return strings.EqualFold(runtime, module) }) {
		return ""
	}
	return module
}

// addInModules are the add-ins whose library is known.
func addInModules() []addIn {
	return slices.DeleteFunc(officeAddIns(), func(a addIn) bool { return a.module == "" })
}

// officeSuite is what click-to-run tells of the Office that it installed; nil
// where there is none.
func officeSuite() (configuration, updates registryKey, found bool) {
	configuration, err := registryValues(registry.LOCAL_MACHINE, clickToRun+`\Configuration`, 0)
	if err != nil || configuration.text("VersionToReport") == "" {
		return configuration, updates, false
	}
	updates, _ = registryValues(registry.LOCAL_MACHINE, clickToRun+`\Updates`, 0)
	return configuration, updates, true
}

// officeDamaged tells whether one of the programs that click-to-run's suite
// registered is gone from its place; nil: it registered none, or its place is not
// there. App Paths are by which the system starts programs by their name
// (learn.microsoft.com, "Application Registration").
func officeDamaged(configuration registryKey) (damaged *bool) {
	place := configuration.text("InstallationPath")
	if info, err := os.Stat(place); place == "" || err != nil || !info.IsDir() {
		return nil
	}
	names, _ := registryNames(registry.LOCAL_MACHINE, currentVersion+`\App Paths`, 0)
	for _, name := range names {
		key, err := registryValues(registry.LOCAL_MACHINE, currentVersion+`\App Paths\`+name, 0)
		program := strings.Trim(key.text(""), `"`)
		if err != nil || !strings.HasPrefix(strings.ToLower(program), strings.ToLower(place)+`\`) {
			continue
		}
		_, err = os.Stat(program)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return set(true)
		case err == nil && damaged == nil:
			damaged = set(false)
		}
	}
	return damaged
}
