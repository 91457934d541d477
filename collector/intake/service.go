package intake

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	constatv1 "constat/proto/constat/v1"
)

// service describes AgentService with its unary calls as streams that carry one
// message each way. On the wire the two are the same (gRPC over HTTP/2 knows
// only streams). To gRPC's server they are not: it decodes the message of a
// unary call before any code of ours runs, and then a message that is too large,
// or is no message, is answered in gRPC's words. As streams, all calls take one
// way: admitted first, so that nothing of a stranger's is even read, then
// received.
func (in *Intake) service() *grpc.ServiceDesc {
	d := constatv1.AgentService_ServiceDesc
	streams := slices.Clone(d.Streams)
	for i, s := range streams {
		streams[i].Handler = func(srv any, stream grpc.ServerStream) error {
			g, err := in.guard(stream, d.ServiceName, s.StreamName)
			if err != nil {
				return err
			}
			return s.Handler(srv, g)
		}
	}
	for _, m := range d.Methods {
		streams = append(streams, grpc.StreamDesc{
			StreamName: m.MethodName,
			Handler: func(srv any, stream grpc.ServerStream) error {
				g, err := in.guard(stream, d.ServiceName, m.MethodName)
				if err != nil {
					return err
				}
				response, err := m.Handler(srv, g.Context(), g.RecvMsg, nil)
				if err != nil {
					return err
				}
				return stream.SendMsg(response)
			},
		})
	}
	d.Streams, d.Methods = streams, nil
	return &d
}

// guarded is an admitted call.
type guarded struct {
	grpc.ServerStream
	ctx context.Context
}

func (in *Intake) guard(stream grpc.ServerStream, service, method string) (*guarded, error) {
	ctx, err := in.admit(stream.Context(), "/"+service+"/"+method)
	if err != nil {
		return nil, err
	}
	return &guarded{stream, ctx}, nil
}

func (g *guarded) Context() context.Context { return g.ctx }

// RecvMsg receives a message and says in our words what is wrong with it.
func (g *guarded) RecvMsg(m any) error { return explain(g.ServerStream.RecvMsg(m)) }

// explain rewrites gRPC's errors about a message. It knows them by their text,
// which TestUploadTooLarge and TestGarbage hold against gRPC's next release.
func explain(err error) error {
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	var size, limit int64
	switch {
	case s.Code() == codes.ResourceExhausted && strings.Contains(s.Message(), "larger than max"):
		if _, scanning := fmt.Sscanf(s.Message(), "grpc: received message larger than max (%d vs. %d)", &size, &limit); scanning == nil {
			return status.Errorf(codes.ResourceExhausted, "report too large: %d MiB, at most %d MiB", (size+1<<20-1)>>20, maxMessageBytes>>20)
		}
		return status.Errorf(codes.ResourceExhausted, "report too large: at most %d MiB, also after decompression", maxMessageBytes>>20)
	case s.Code() == codes.Internal && strings.Contains(s.Message(), "unmarshal"):
		return status.Error(codes.InvalidArgument, "what was sent is no such message: it is damaged, or not an agent's")
	case s.Code() == codes.Internal && strings.Contains(s.Message(), "decompress"):
		return status.Error(codes.InvalidArgument, "what was sent cannot be decompressed: it is damaged, or not an agent's")
	}
	return err
}

// survive keeps a panic in one call from ending the collector.
func (in *Intake) survive(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
	defer in.recovered(info.FullMethod, &err)
	return handler(ctx, request)
}

func (in *Intake) surviveStream(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer in.recovered(info.FullMethod, &err)
	return handler(srv, s)
}

func (in *Intake) recovered(method string, err *error) {
	if p := recover(); p != nil {
		in.options.Log.Error("a call panicked; please report this", "method", method, "panic", p, "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "the collector has failed on this call; its log says how")
	}
}
