package kit

import (
	"fmt"
	"strings"
	"time"
)

// texts are what is said of a kit, in the languages of the product.
var texts = map[string]struct {
	head, deb, rpm, windows, mac, secret, after string
	time                                        string
}{
	"en": {
		head:    "Ready for %d computer(s), until %s, to join %s.\nThe files are in %s.\n",
		deb:     "Debian, Ubuntu: copy both files to the computer and type there",
		rpm:     "Fedora, RHEL, SUSE: copy both files to the computer and type there",
		windows: "Windows: unpack %s and run, as administrator or by Intune, a group policy or SCCM",
		mac:     "macOS: unpack %s and run, as root or by Jamf or Munki",
		secret:  "There is a token in constat-enrolment*, in the zips and nowhere else. Who has it\ncan join computers: keep it like a password, and delete this directory afterwards.\n",
		after:   "Then see on the computer how it stands: constat-agent status\n",
		time:    "2 January 2006 at 15:04",
	},
	"fr": {
		head:    "Prêt pour %d ordinateur(s), jusqu’au %s, à rattacher à %s.\nLes fichiers sont dans %s.\n",
		deb:     "Debian, Ubuntu : copiez les deux fichiers sur l’ordinateur, puis tapez-y",
		rpm:     "Fedora, RHEL, SUSE : copiez les deux fichiers sur l’ordinateur, puis tapez-y",
		windows: "Windows : décompressez %s, puis lancez, en administrateur ou par Intune, une stratégie de groupe ou SCCM",
		mac:     "macOS : décompressez %s, puis lancez, en root ou par Jamf ou Munki",
		secret:  "Un jeton se trouve dans constat-enrolment* et dans les archives zip, et nulle part\nailleurs. Qui l’a peut rattacher des ordinateurs : gardez-le comme un mot de passe,\net supprimez ce répertoire après l’installation.\n",
		after:   "Ensuite, voyez sur l’ordinateur où il en est : constat-agent status\n",
		time:    "02/01/2006 à 15:04",
	},
}

// architectures are the names of machines in the names of packages.
var architectures = []struct{ deb, rpm string }{{"_amd64.", ".x86_64."}, {"_arm64.", ".aarch64."}}

// steps says what to do with the kit.
func (k *Kit) steps(o Order, language string) string {
	t, ok := texts[language]
	if !ok {
		t = texts["en"]
	}
	var b strings.Builder
	fmt.Fprintf(&b, t.head, o.Uses, o.Expires.In(time.Local).Format(t.time), o.Collector, k.dir)
	enrolment := map[string]string{}
	for _, name := range k.names() {
		for _, kind := range []string{"deb", "rpm"} {
			if strings.HasSuffix(name, "."+kind) {
				enrolment[kind] = name
			}
		}
	}
	commands := func(title, kind, command string, architecture func(int) string) {
		if len(k.packages[kind]) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n\n", title)
		for i := range architectures {
			for _, name := range k.packages[kind] {
				if strings.Contains(name, architecture(i)) {
					fmt.Fprintf(&b, "    sudo %s ./%s ./%s\n", command, name, enrolment[kind])
				}
			}
		}
	}
	commands(t.deb, "deb", "apt install", func(i int) string { return architectures[i].deb })
	commands(t.rpm, "rpm", "dnf install", func(i int) string { return architectures[i].rpm })
	if len(k.packages["msi"]) > 0 {
		fmt.Fprintf(&b, "\n"+t.windows+"\n\n    install.cmd\n", "constat-windows.zip")
	}
	if len(k.packages["pkg"]) > 0 {
		fmt.Fprintf(&b, "\n"+t.mac+"\n\n    sudo sh install.sh\n", "constat-macos.zip")
	}
	fmt.Fprintf(&b, "\n%s\n%s", t.after, t.secret)
	return b.String()
}
