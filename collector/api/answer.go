package api

import (
	"context"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// ListAnswers is desk.Answers.
func (s *Server) ListAnswers(ctx context.Context, r *deskv1.ListAnswersRequest) (*deskv1.ListAnswersResponse, error) {
	all, err := s.desk.Answers(ctx, actor(ctx), r.GetQuery())
	if err != nil {
		return nil, err
	}
	return &deskv1.ListAnswersResponse{Answers: all, Variables: desk.AnswerVariables, Caller: actor(ctx).Name}, nil
}

// SaveAnswer is desk.SaveAnswer.
func (s *Server) SaveAnswer(ctx context.Context, r *deskv1.SaveAnswerRequest) (*deskv1.SaveAnswerResponse, error) {
	saved, err := s.desk.SaveAnswer(ctx, actor(ctx), r.GetAnswer())
	if err != nil {
		return nil, err
	}
	return &deskv1.SaveAnswerResponse{Answer: saved}, nil
}

// DeleteAnswer is desk.DeleteAnswer.
func (s *Server) DeleteAnswer(ctx context.Context, r *deskv1.DeleteAnswerRequest) (*deskv1.DeleteAnswerResponse, error) {
	if err := s.desk.DeleteAnswer(ctx, actor(ctx), r.GetId()); err != nil {
		return nil, err
	}
	return &deskv1.DeleteAnswerResponse{}, nil
}

// FillAnswers is desk.FillAnswers.
func (s *Server) FillAnswers(ctx context.Context, r *deskv1.FillAnswersRequest) (*deskv1.FillAnswersResponse, error) {
	filled, err := s.desk.FillAnswers(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.FillAnswersResponse{Answers: filled}, nil
}
