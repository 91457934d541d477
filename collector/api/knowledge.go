package api

import (
	"context"

	constatv1 "constat/proto/constat/v1"
)

// ListProcedures is desk.Procedures.
func (s *Server) ListProcedures(ctx context.Context, _ *constatv1.ListProceduresRequest) (*constatv1.ListProceduresResponse, error) {
	all, err := s.desk.Procedures(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &constatv1.ListProceduresResponse{Procedures: all}, nil
}

// GetProcedure is desk.Procedure.
func (s *Server) GetProcedure(ctx context.Context, r *constatv1.GetProcedureRequest) (*constatv1.GetProcedureResponse, error) {
	return s.desk.Procedure(ctx, actor(ctx), r.GetId())
}

// ListKnowledge is desk.KnowledgeRevisions.
func (s *Server) ListKnowledge(ctx context.Context, _ *constatv1.ListKnowledgeRequest) (*constatv1.ListKnowledgeResponse, error) {
	all, err := s.desk.KnowledgeRevisions(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &constatv1.ListKnowledgeResponse{Revisions: all}, nil
}

// GetKnowledge is desk.KnowledgeAt.
func (s *Server) GetKnowledge(ctx context.Context, r *constatv1.GetKnowledgeRequest) (*constatv1.GetKnowledgeResponse, error) {
	return s.desk.KnowledgeAt(ctx, actor(ctx), r)
}

// PreviewKnowledge is desk.PreviewKnowledge.
func (s *Server) PreviewKnowledge(ctx context.Context, r *constatv1.PreviewKnowledgeRequest) (*constatv1.PreviewKnowledgeResponse, error) {
	return s.desk.PreviewKnowledge(ctx, actor(ctx), r.GetChange())
}

// PushKnowledge is desk.PushKnowledge.
func (s *Server) PushKnowledge(ctx context.Context, r *constatv1.PushKnowledgeRequest) (*constatv1.PushKnowledgeResponse, error) {
	made, err := s.desk.PushKnowledge(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &constatv1.PushKnowledgeResponse{Revision: made}, nil
}

// ReleaseKnowledge is desk.ReleaseKnowledge.
func (s *Server) ReleaseKnowledge(ctx context.Context, r *constatv1.ReleaseKnowledgeRequest) (*constatv1.ReleaseKnowledgeResponse, error) {
	made, err := s.desk.ReleaseKnowledge(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &constatv1.ReleaseKnowledgeResponse{Revision: made}, nil
}

// RollBackKnowledge is desk.RollBackKnowledge.
func (s *Server) RollBackKnowledge(ctx context.Context, r *constatv1.RollBackKnowledgeRequest) (*constatv1.RollBackKnowledgeResponse, error) {
	made, err := s.desk.RollBackKnowledge(ctx, actor(ctx), r.GetRevision(), r.GetNote())
	if err != nil {
		return nil, err
	}
	return &constatv1.RollBackKnowledgeResponse{Revision: made}, nil
}
