package api

import (
	"context"

	deskv1 "constat/proto/constat/desk/v1"
)

// ListProcedures is desk.Procedures.
func (s *Server) ListProcedures(ctx context.Context, _ *deskv1.ListProceduresRequest) (*deskv1.ListProceduresResponse, error) {
	all, err := s.desk.Procedures(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &deskv1.ListProceduresResponse{Procedures: all}, nil
}

// GetProcedure is desk.Procedure.
func (s *Server) GetProcedure(ctx context.Context, r *deskv1.GetProcedureRequest) (*deskv1.GetProcedureResponse, error) {
	return s.desk.Procedure(ctx, actor(ctx), r.GetId())
}

// RateProcedure is desk.RateProcedure.
func (s *Server) RateProcedure(ctx context.Context, r *deskv1.RateProcedureRequest) (*deskv1.RateProcedureResponse, error) {
	if err := s.desk.RateProcedure(ctx, actor(ctx), r); err != nil {
		return nil, err
	}
	return &deskv1.RateProcedureResponse{}, nil
}

// ListKnowledge is desk.KnowledgeRevisions.
func (s *Server) ListKnowledge(ctx context.Context, _ *deskv1.ListKnowledgeRequest) (*deskv1.ListKnowledgeResponse, error) {
	all, err := s.desk.KnowledgeRevisions(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &deskv1.ListKnowledgeResponse{Revisions: all}, nil
}

// GetKnowledge is desk.KnowledgeAt.
func (s *Server) GetKnowledge(ctx context.Context, r *deskv1.GetKnowledgeRequest) (*deskv1.GetKnowledgeResponse, error) {
	return s.desk.KnowledgeAt(ctx, actor(ctx), r)
}

// PreviewKnowledge is desk.PreviewKnowledge.
func (s *Server) PreviewKnowledge(ctx context.Context, r *deskv1.PreviewKnowledgeRequest) (*deskv1.PreviewKnowledgeResponse, error) {
	return s.desk.PreviewKnowledge(ctx, actor(ctx), r.GetChange())
}

// PushKnowledge is desk.PushKnowledge.
func (s *Server) PushKnowledge(ctx context.Context, r *deskv1.PushKnowledgeRequest) (*deskv1.PushKnowledgeResponse, error) {
	made, err := s.desk.PushKnowledge(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.PushKnowledgeResponse{Revision: made}, nil
}

// ReleaseKnowledge is desk.ReleaseKnowledge.
func (s *Server) ReleaseKnowledge(ctx context.Context, r *deskv1.ReleaseKnowledgeRequest) (*deskv1.ReleaseKnowledgeResponse, error) {
	made, err := s.desk.ReleaseKnowledge(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.ReleaseKnowledgeResponse{Revision: made}, nil
}

// RollBackKnowledge is desk.RollBackKnowledge.
func (s *Server) RollBackKnowledge(ctx context.Context, r *deskv1.RollBackKnowledgeRequest) (*deskv1.RollBackKnowledgeResponse, error) {
	made, err := s.desk.RollBackKnowledge(ctx, actor(ctx), r.GetRevision(), r.GetNote())
	if err != nil {
		return nil, err
	}
	return &deskv1.RollBackKnowledgeResponse{Revision: made}, nil
}
