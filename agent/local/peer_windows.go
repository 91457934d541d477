package local

import (
	"errors"
	"net"
)

// SystemData is where an agent installed as a service keeps its state.
const SystemData = `C:\ProgramData\Constat`

const systemSocket = SystemData + `\agent.sock`

// peerUser refuses: Windows' UNIX sockets do not tell who is asking, and the
// named pipe that does is not built yet.
func peerUser(net.Conn) (User, error) {
	return User{}, errors.New("the local link does not exist on Windows yet")
}
