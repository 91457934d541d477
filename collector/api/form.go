package api

import (
	"context"

	deskv1 "constat/proto/constat/desk/v1"
)

// ListForms is desk.Forms.
func (s *Server) ListForms(ctx context.Context, r *deskv1.ListFormsRequest) (*deskv1.ListFormsResponse, error) {
	all, err := s.desk.Forms(ctx, actor(ctx), r.GetRetired())
	if err != nil {
		return nil, err
	}
	return &deskv1.ListFormsResponse{Forms: all}, nil
}

// SaveForm is desk.SaveForm.
func (s *Server) SaveForm(ctx context.Context, r *deskv1.SaveFormRequest) (*deskv1.SaveFormResponse, error) {
	saved, err := s.desk.SaveForm(ctx, actor(ctx), r.GetForm())
	if err != nil {
		return nil, err
	}
	return &deskv1.SaveFormResponse{Form: saved}, nil
}

// CheckItem is desk.CheckItem.
func (s *Server) CheckItem(ctx context.Context, r *deskv1.CheckItemRequest) (*deskv1.CheckItemResponse, error) {
	all, err := s.desk.CheckItem(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.CheckItemResponse{Checklist: all}, nil
}
