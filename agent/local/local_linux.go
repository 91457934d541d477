package local

import "golang.org/x/sys/unix"

// SystemData is where an agent installed as a service keeps its state.
const SystemData = "/var/lib/constat-agent"

// SystemConfig is the configuration file of such an agent.
const SystemConfig = "/etc/constat-agent/agent.yaml"

const systemSocket = "/run/constat-agent/agent.sock"

// peerID reads SO_PEERCRED (unix(7)).
func peerID(fd int) (uint32, error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, err
	}
	return c.Uid, nil
}
