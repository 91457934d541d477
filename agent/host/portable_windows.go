package host

import "os"

// systemVolumes are where the system starts from and keeps users' files.
var systemVolumes = map[string]bool{os.Getenv("SystemDrive"): true}
