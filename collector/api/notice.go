package api

import (
	"context"

	constatv1 "constat/proto/constat/v1"
)

// ListNotices is desk.Notices.
func (s *Server) ListNotices(ctx context.Context, _ *constatv1.ListNoticesRequest) (*constatv1.ListNoticesResponse, error) {
	return s.desk.Notices(ctx, actor(ctx))
}

// ReadNotices is desk.ReadNotices.
func (s *Server) ReadNotices(ctx context.Context, r *constatv1.ReadNoticesRequest) (*constatv1.ReadNoticesResponse, error) {
	read, err := s.desk.ReadNotices(ctx, actor(ctx), r.GetNumber())
	if err != nil {
		return nil, err
	}
	return &constatv1.ReadNoticesResponse{Read: int32(read)}, nil
}

// GetNoticeRule is desk.NoticeRule.
func (s *Server) GetNoticeRule(ctx context.Context, _ *constatv1.GetNoticeRuleRequest) (*constatv1.GetNoticeRuleResponse, error) {
	rule, err := s.desk.NoticeRule(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &constatv1.GetNoticeRuleResponse{Rule: rule}, nil
}

// SetNoticeRule is desk.SetNoticeRule.
func (s *Server) SetNoticeRule(ctx context.Context, r *constatv1.SetNoticeRuleRequest) (*constatv1.SetNoticeRuleResponse, error) {
	rule, err := s.desk.SetNoticeRule(ctx, actor(ctx), r.GetRule())
	if err != nil {
		return nil, err
	}
	return &constatv1.SetNoticeRuleResponse{Rule: rule}, nil
}

// GetDelivery is courier.State.
func (s *Server) GetDelivery(ctx context.Context, _ *constatv1.GetDeliveryRequest) (*constatv1.GetDeliveryResponse, error) {
	return s.courier.State(ctx, actor(ctx))
}

// SetMailServer is courier.SetMailServer.
func (s *Server) SetMailServer(ctx context.Context, r *constatv1.SetMailServerRequest) (*constatv1.SetMailServerResponse, error) {
	m, err := s.courier.SetMailServer(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &constatv1.SetMailServerResponse{Mail: m}, nil
}

// SendTestMail is courier.SendTestMail.
func (s *Server) SendTestMail(ctx context.Context, r *constatv1.SendTestMailRequest) (*constatv1.SendTestMailResponse, error) {
	if err := s.courier.SendTestMail(ctx, actor(ctx), r.GetTo()); err != nil {
		return nil, err
	}
	return &constatv1.SendTestMailResponse{}, nil
}

// PutWebhook is courier.PutWebhook.
func (s *Server) PutWebhook(ctx context.Context, r *constatv1.PutWebhookRequest) (*constatv1.PutWebhookResponse, error) {
	h, secret, err := s.courier.PutWebhook(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &constatv1.PutWebhookResponse{Webhook: h, Secret: secret}, nil
}

// DeleteWebhook is courier.DeleteWebhook.
func (s *Server) DeleteWebhook(ctx context.Context, r *constatv1.DeleteWebhookRequest) (*constatv1.DeleteWebhookResponse, error) {
	if err := s.courier.DeleteWebhook(ctx, actor(ctx), r.GetName()); err != nil {
		return nil, err
	}
	return &constatv1.DeleteWebhookResponse{}, nil
}

// RetryDelivery is courier.Retry.
func (s *Server) RetryDelivery(ctx context.Context, _ *constatv1.RetryDeliveryRequest) (*constatv1.RetryDeliveryResponse, error) {
	retried, err := s.courier.Retry(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	return &constatv1.RetryDeliveryResponse{Retried: int32(retried)}, nil
}
