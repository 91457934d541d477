package main

import (
	"encoding/xml"
	"strings"
)

// launchdJob is the property list of a daemon (launchd.plist(5)): it starts with
// the machine and again after a failure, not more often than every ten seconds;
// what it writes is root's, its working directory is nobody's, and its disk accesses
// come after those of people.
func launchdJob(label, program string, arguments []string) string {
	var words strings.Builder
	for _, word := range append([]string{program}, arguments...) {
		words.WriteString("\t\t<string>" + plistText(word) + "</string>\n")
	}
	return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + plistText(label) + `</string>
	<key>ProgramArguments</key>
	<array>
` + words.String() + `	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key>
		<false/>
	</dict>
	<key>ThrottleInterval</key>
	<integer>10</integer>
	<key>ExitTimeOut</key>
	<integer>20</integer>
	<key>ProcessType</key>
	<string>Standard</string>
	<key>LowPriorityBackgroundIO</key>
	<true/>
	<key>Umask</key>
	<integer>63</integer>
	<key>WorkingDirectory</key>
	<string>/</string>
	<key>SoftResourceLimits</key>
	<dict>
		<key>NumberOfFiles</key>
		<integer>1024</integer>
		<key>Core</key>
		<integer>0</integer>
	</dict>
	<key>StandardErrorPath</key>
	<string>/var/log/` + plistText(label) + `.log</string>
</dict>
</plist>
`
}

// plistText is a text inside an element. Two braces would begin a template of the
// service library.
func plistText(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text))
	return strings.ReplaceAll(b.String(), "{{", "{&#123;")
}
