package api

import (
	"context"

	deskv1 "constat/proto/constat/desk/v1"
)

// ListViews is desk.Views.
func (s *Server) ListViews(ctx context.Context, _ *deskv1.ListViewsRequest) (*deskv1.ListViewsResponse, error) {
	views, err := s.desk.Views(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &deskv1.ListViewsResponse{Views: views}, nil
}

// PutView is desk.PutView.
func (s *Server) PutView(ctx context.Context, r *deskv1.PutViewRequest) (*deskv1.PutViewResponse, error) {
	kept, err := s.desk.PutView(ctx, actor(ctx), r.GetView())
	if err != nil {
		return nil, err
	}
	return &deskv1.PutViewResponse{View: kept}, nil
}

// DeleteView is desk.DeleteView.
func (s *Server) DeleteView(ctx context.Context, r *deskv1.DeleteViewRequest) (*deskv1.DeleteViewResponse, error) {
	if err := s.desk.DeleteView(ctx, actor(ctx), r.GetId()); err != nil {
		return nil, err
	}
	return &deskv1.DeleteViewResponse{}, nil
}
