package api

import (
	"context"

	deskv1 "constat/proto/constat/desk/v1"
)

// ListAccounts is desk.Accounts.
func (s *Server) ListAccounts(ctx context.Context, _ *deskv1.ListAccountsRequest) (*deskv1.ListAccountsResponse, error) {
	all, err := s.desk.Accounts(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &deskv1.ListAccountsResponse{Accounts: all}, nil
}

// RemoveAccount is desk.RemoveAccount.
func (s *Server) RemoveAccount(ctx context.Context, r *deskv1.RemoveAccountRequest) (*deskv1.RemoveAccountResponse, error) {
	returned, err := s.desk.RemoveAccount(ctx, actor(ctx), r.GetName())
	if err != nil {
		return nil, err
	}
	return &deskv1.RemoveAccountResponse{Returned: int32(returned)}, nil
}

// RestoreAccount is desk.RestoreAccount.
func (s *Server) RestoreAccount(ctx context.Context, r *deskv1.RestoreAccountRequest) (*deskv1.RestoreAccountResponse, error) {
	restored, err := s.desk.RestoreAccount(ctx, actor(ctx), r.GetName())
	if err != nil {
		return nil, err
	}
	return &deskv1.RestoreAccountResponse{Account: restored}, nil
}

// LimitAccount is desk.LimitAccount.
func (s *Server) LimitAccount(ctx context.Context, r *deskv1.LimitAccountRequest) (*deskv1.LimitAccountResponse, error) {
	limited, returned, err := s.desk.LimitAccount(ctx, actor(ctx), r.GetName(), r.GetSites()...)
	if err != nil {
		return nil, err
	}
	return &deskv1.LimitAccountResponse{Account: limited, Returned: int32(returned)}, nil
}
