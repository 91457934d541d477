package intake

import (
	"context"
	"runtime/debug"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	constatv1 "constat/proto/constat/v1"
)

// service describes AgentService with its unary calls as streams that carry one
// message each way. On the wire the two are the same: gRPC over HTTP/2 knows only
// streams. To gRPC's server they are not: it receives and decodes the message of
// a unary call before any code of ours runs. As streams, all calls take one way:
// admitted first, so that nothing of a stranger's is even read, then received.
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

// RecvMsg receives a message. One that cannot be decoded is the sender's fault:
// it must not be sent again, which gRPC's own code for it, Internal, does not
// say.
func (g *guarded) RecvMsg(m any) error {
	f := &frame{message: m}
	if err := g.ServerStream.RecvMsg(f); err != nil {
		return err
	}
	if f.err != nil {
		return status.Error(codes.InvalidArgument, "what was sent is no such message: it is damaged, or not an agent's")
	}
	return nil
}

// frame is a message to be decoded, and how that went.
type frame struct {
	message any
	err     error
}

// codec is gRPC's, except that a frame keeps its error: gRPC answers one that a
// codec returns before the caller hears of it.
type codec struct{ encoding.CodecV2 }

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*frame)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	f.err = c.CodecV2.Unmarshal(data, f.message)
	return nil
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
