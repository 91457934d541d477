package local

import "golang.org/x/sys/unix"

// SystemData is where an agent installed as a service keeps its state.
const SystemData = "/Library/Application Support/Constat"

// SystemConfig is the configuration file of such an agent.
const SystemConfig = "/etc/constat-agent/agent.yaml"

const systemSocket = "/var/run/constat-agent.sock"

// peerID reads LOCAL_PEERCRED (unix(4)).
func peerID(fd int) (uint32, error) {
	c, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, err
	}
	return c.Uid, nil
}
