package tray

import (
	"google.golang.org/grpc"

	constatv1 "constat/proto/constat/v1"
)

// standing is an agent that says how things stand.
type standing struct {
	constatv1.UnimplementedLocalServiceServer
	said chan *constatv1.WatchResponse
}

func (a standing) Watch(_ *constatv1.WatchRequest, s grpc.ServerStreamingServer[constatv1.WatchResponse]) error {
	for {
		select {
		case <-s.Context().Done():
			return nil
		case m := <-a.said:
			if m.GetState() == "restarts" {
				return nil
			}
			if err := s.Send(m); err != nil {
				return err
			}
		}
	}
}
