// Package api is the collector as technicians' programs see it: the gRPC services
// of proto/constat/v1/desk.proto on top of package desk, and of watch.proto on top
// of package gear, and of notice.proto on top of package courier. Every call carries an
// API token and acts as its user.
package api

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"constat/collector/account"
	"constat/collector/courier"
	"constat/collector/desk"
	"constat/collector/gear"
	deskv1 "constat/proto/constat/desk/v1"
)

// Server is the services; Register puts them on a gRPC server.
type Server struct {
	deskv1.UnimplementedDeskServiceServer
	deskv1.UnimplementedGearServiceServer
	deskv1.UnimplementedNoticeServiceServer
	deskv1.UnimplementedAnswerServiceServer
	deskv1.UnimplementedFormServiceServer
	deskv1.UnimplementedPlanServiceServer
	deskv1.UnimplementedAccountServiceServer
	desk     *desk.Desk
	watch    *gear.Watch
	courier  *courier.Courier
	accounts *account.Accounts
}

// New makes the services over a desk, its accounts, the watch on its gear and the
// courier of its mails.
func New(d *desk.Desk, a *account.Accounts, w *gear.Watch, c *courier.Courier) *Server {
	return &Server{desk: d, accounts: a, watch: w, courier: c}
}

// Register puts the services on a gRPC server.
//
// Their unary calls are described as streams that carry one message each way,
// which on the wire is the same. gRPC reads and decodes the message of a unary
// call, up to the server's 16 MiB, before any code of ours runs; of a stream's it
// reads nothing. So the token is checked first, and strangers cost no memory.
func (s *Server) Register(on *grpc.Server) {
	s.register(on, deskv1.DeskService_ServiceDesc)
	s.register(on, deskv1.GearService_ServiceDesc)
	s.register(on, deskv1.NoticeService_ServiceDesc)
	s.register(on, deskv1.AnswerService_ServiceDesc)
	s.register(on, deskv1.FormService_ServiceDesc)
	s.register(on, deskv1.PlanService_ServiceDesc)
	s.register(on, deskv1.AccountService_ServiceDesc)
}

func (s *Server) register(on *grpc.Server, d grpc.ServiceDesc) {
	streams := slices.Clone(d.Streams)
	for i, call := range streams {
		streams[i].Handler = s.admit(call.StreamName, call.Handler)
	}
	for _, call := range d.Methods {
		streams = append(streams, grpc.StreamDesc{
			StreamName: call.MethodName,
			Handler: s.admit(call.MethodName, func(srv any, stream grpc.ServerStream) error {
				answer, err := call.Handler(srv, stream.Context(), stream.RecvMsg, nil)
				if err != nil {
					return err
				}
				return stream.SendMsg(answer)
			}),
		})
	}
	d.Streams, d.Methods = streams, nil
	on.RegisterService(&d, s)
}

type actorKey struct{}

// admit lets in who carries a valid token, and turns the desk's errors into
// gRPC's.
func (s *Server) admit(method string, handle grpc.StreamHandler) grpc.StreamHandler {
	return func(srv any, stream grpc.ServerStream) error {
		ctx, err := s.authenticate(stream.Context())
		if err != nil {
			return err
		}
		return statusOf(ctx, method, handle(srv, &authenticated{stream, ctx}))
	}
}

// authenticated is a stream whose context knows the actor.
type authenticated struct {
	grpc.ServerStream
	ctx context.Context
}

func (a *authenticated) Context() context.Context { return a.ctx }

// authenticate finds the user of the call's token and puts them into the context.
func (s *Server) authenticate(ctx context.Context) (context.Context, error) {
	headers := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(headers) != 1 {
		return nil, status.Error(codes.Unauthenticated, "the call carries no token: set CONSTAT_TOKEN to one made with `constat-collector user token NAME`")
	}
	kind, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(kind, "bearer") || token == "" {
		return nil, status.Error(codes.Unauthenticated, "the authorization header is not of the form `Bearer TOKEN`")
	}
	user, err := s.accounts.TokenUser(ctx, token)
	if errors.Is(err, account.ErrToken) {
		return nil, status.Error(codes.Unauthenticated, err.Error())
	}
	if err != nil {
		return nil, statusOf(ctx, "authentication", err)
	}
	a := desk.Actor{ID: user.ID, Name: user.Name, Role: user.Role, Sites: user.Sites}
	if user.Role == "requester" {
		a.ID = user.Person
	}
	return desk.For(context.WithValue(ctx, actorKey{}, a), a), nil
}

// actor is who calls.
func actor(ctx context.Context) desk.Actor {
	a, _ := ctx.Value(actorKey{}).(desk.Actor)
	return a
}

// kinds maps the desk's kinds of errors to gRPC's codes.
var kinds = []struct {
	err  error
	code codes.Code
}{
	{desk.ErrNotFound, codes.NotFound},
	{desk.ErrConflict, codes.Aborted},
	{desk.ErrInvalid, codes.InvalidArgument},
	{desk.ErrForbidden, codes.PermissionDenied},
	{desk.ErrUnfinished, codes.FailedPrecondition},
	{context.Canceled, codes.Canceled},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
}

// statusOf turns an error into gRPC's. What is the caller's business is told in
// its own words; what is ours goes to the log, and the caller learns only that.
func statusOf(ctx context.Context, method string, err error) error {
	if err == nil {
		return nil
	}
	if _, isStatus := status.FromError(err); isStatus {
		return err
	}
	for _, kind := range kinds {
		if errors.Is(err, kind.err) {
			return status.Error(kind.code, err.Error())
		}
	}
	var refused gear.Refusal
	if errors.As(err, &refused) {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	slog.ErrorContext(ctx, "a call failed", "method", method, "error", err)
	return status.Error(codes.Internal, "the collector could not do this; its log says why")
}
