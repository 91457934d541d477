package api

import (
	"context"

	deskv1 "constat/proto/constat/desk/v1"
)

// ListNotices is desk.Notices.
func (s *Server) ListNotices(ctx context.Context, _ *deskv1.ListNoticesRequest) (*deskv1.ListNoticesResponse, error) {
	return s.desk.Notices(ctx, actor(ctx))
}

// ReadNotices is desk.ReadNotices.
func (s *Server) ReadNotices(ctx context.Context, r *deskv1.ReadNoticesRequest) (*deskv1.ReadNoticesResponse, error) {
	read, err := s.desk.ReadNotices(ctx, actor(ctx), r.GetNumber())
	if err != nil {
		return nil, err
	}
	return &deskv1.ReadNoticesResponse{Read: int32(read)}, nil
}

// GetNoticeRule is desk.NoticeRule.
func (s *Server) GetNoticeRule(ctx context.Context, _ *deskv1.GetNoticeRuleRequest) (*deskv1.GetNoticeRuleResponse, error) {
	rule, err := s.desk.NoticeRule(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &deskv1.GetNoticeRuleResponse{Rule: rule}, nil
}

// SetNoticeRule is desk.SetNoticeRule.
func (s *Server) SetNoticeRule(ctx context.Context, r *deskv1.SetNoticeRuleRequest) (*deskv1.SetNoticeRuleResponse, error) {
	rule, err := s.desk.SetNoticeRule(ctx, actor(ctx), r.GetRule())
	if err != nil {
		return nil, err
	}
	return &deskv1.SetNoticeRuleResponse{Rule: rule}, nil
}

// GetDelivery is courier.State.
func (s *Server) GetDelivery(ctx context.Context, _ *deskv1.GetDeliveryRequest) (*deskv1.GetDeliveryResponse, error) {
	return s.courier.State(ctx, actor(ctx))
}

// SetMailServer is courier.SetMailServer.
func (s *Server) SetMailServer(ctx context.Context, r *deskv1.SetMailServerRequest) (*deskv1.SetMailServerResponse, error) {
	m, err := s.courier.SetMailServer(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.SetMailServerResponse{Mail: m}, nil
}

// SendTestMail is courier.SendTestMail.
func (s *Server) SendTestMail(ctx context.Context, r *deskv1.SendTestMailRequest) (*deskv1.SendTestMailResponse, error) {
	if err := s.courier.SendTestMail(ctx, actor(ctx), r.GetTo()); err != nil {
		return nil, err
	}
	return &deskv1.SendTestMailResponse{}, nil
}

// PutWebhook is courier.PutWebhook.
func (s *Server) PutWebhook(ctx context.Context, r *deskv1.PutWebhookRequest) (*deskv1.PutWebhookResponse, error) {
	h, secret, err := s.courier.PutWebhook(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.PutWebhookResponse{Webhook: h, Secret: secret}, nil
}

// DeleteWebhook is courier.DeleteWebhook.
func (s *Server) DeleteWebhook(ctx context.Context, r *deskv1.DeleteWebhookRequest) (*deskv1.DeleteWebhookResponse, error) {
	if err := s.courier.DeleteWebhook(ctx, actor(ctx), r.GetName()); err != nil {
		return nil, err
	}
	return &deskv1.DeleteWebhookResponse{}, nil
}

// RetryDelivery is courier.Retry.
func (s *Server) RetryDelivery(ctx context.Context, _ *deskv1.RetryDeliveryRequest) (*deskv1.RetryDeliveryResponse, error) {
	retried, err := s.courier.Retry(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &deskv1.RetryDeliveryResponse{Retried: int32(retried)}, nil
}
