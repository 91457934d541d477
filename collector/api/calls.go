package api

import (
	"context"

	"google.golang.org/grpc"

	deskv1 "constat/proto/constat/desk/v1"
)

// ListTickets is desk.Tickets.
func (s *Server) ListTickets(ctx context.Context, r *deskv1.ListTicketsRequest) (*deskv1.ListTicketsResponse, error) {
	return s.desk.Tickets(ctx, r)
}

// GetTicket is desk.Ticket.
func (s *Server) GetTicket(ctx context.Context, r *deskv1.GetTicketRequest) (*deskv1.GetTicketResponse, error) {
	return s.desk.Ticket(ctx, r.GetNumber())
}

// CreateTicket is desk.Create; the channel is `api`, whatever the draft says.
func (s *Server) CreateTicket(ctx context.Context, r *deskv1.CreateTicketRequest) (*deskv1.CreateTicketResponse, error) {
	if r.GetDraft() != nil {
		r.Draft.Channel = "api"
	}
	ticket, err := s.desk.Create(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.CreateTicketResponse{Ticket: ticket}, nil
}

// UpdateTicket is desk.Update.
func (s *Server) UpdateTicket(ctx context.Context, r *deskv1.UpdateTicketRequest) (*deskv1.UpdateTicketResponse, error) {
	ticket, err := s.desk.Update(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.UpdateTicketResponse{Ticket: ticket}, nil
}

// AddEntry is desk.AddEntry.
func (s *Server) AddEntry(ctx context.Context, r *deskv1.AddEntryRequest) (*deskv1.AddEntryResponse, error) {
	entry, err := s.desk.AddEntry(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.AddEntryResponse{Entry: entry}, nil
}

// MergeTicket is desk.Merge.
func (s *Server) MergeTicket(ctx context.Context, r *deskv1.MergeTicketRequest) (*deskv1.MergeTicketResponse, error) {
	ticket, err := s.desk.Merge(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.MergeTicketResponse{Ticket: ticket}, nil
}

// ListEndpoints is desk.Endpoints.
func (s *Server) ListEndpoints(ctx context.Context, r *deskv1.ListEndpointsRequest) (*deskv1.ListEndpointsResponse, error) {
	return s.desk.Endpoints(ctx, r)
}

// GetEndpoint is desk.Endpoint.
func (s *Server) GetEndpoint(ctx context.Context, r *deskv1.GetEndpointRequest) (*deskv1.GetEndpointResponse, error) {
	return s.desk.Endpoint(ctx, r.GetId())
}

// GetSnapshot is desk.Snapshot.
func (s *Server) GetSnapshot(ctx context.Context, r *deskv1.GetSnapshotRequest) (*deskv1.GetSnapshotResponse, error) {
	snapshot, err := s.desk.Snapshot(ctx, r.GetId())
	if err != nil {
		return nil, err
	}
	return &deskv1.GetSnapshotResponse{Snapshot: snapshot}, nil
}

// Diagnose asks for a diagnosis and follows it to its end.
func (s *Server) Diagnose(r *deskv1.DiagnoseRequest, stream grpc.ServerStreamingServer[deskv1.DiagnoseResponse]) error {
	command, err := s.desk.Diagnose(stream.Context(), actor(stream.Context()), r)
	if err != nil {
		return err
	}
	return s.desk.Follow(stream.Context(), command, stream.Send)
}

// RequestRemedy is desk.RequestRemedy.
func (s *Server) RequestRemedy(ctx context.Context, r *deskv1.RequestRemedyRequest) (*deskv1.RequestRemedyResponse, error) {
	return s.desk.RequestRemedy(ctx, actor(ctx), r)
}

// RevokeEndpoint is desk.RevokeEndpoint.
func (s *Server) RevokeEndpoint(ctx context.Context, r *deskv1.RevokeEndpointRequest) (*deskv1.RevokeEndpointResponse, error) {
	if err := s.desk.RevokeEndpoint(ctx, actor(ctx), r.GetEndpointId(), r.GetReason()); err != nil {
		return nil, err
	}
	return &deskv1.RevokeEndpointResponse{}, nil
}

// EraseEndpoint is desk.EraseEndpoint.
func (s *Server) EraseEndpoint(ctx context.Context, r *deskv1.EraseEndpointRequest) (*deskv1.EraseEndpointResponse, error) {
	tickets, err := s.desk.EraseEndpoint(ctx, actor(ctx), r.GetEndpointId(), r.GetHostname())
	if err != nil {
		return nil, err
	}
	return &deskv1.EraseEndpointResponse{Tickets: int32(tickets)}, nil
}

// SetEndpointSite is desk.SetEndpointSite.
func (s *Server) SetEndpointSite(ctx context.Context, r *deskv1.SetEndpointSiteRequest) (*deskv1.SetEndpointSiteResponse, error) {
	endpoint, err := s.desk.SetEndpointSite(ctx, actor(ctx), r.GetEndpointId(), r.GetSite())
	if err != nil {
		return nil, err
	}
	return &deskv1.SetEndpointSiteResponse{Endpoint: endpoint}, nil
}

// ListSimilar is desk.Similar.
func (s *Server) ListSimilar(ctx context.Context, r *deskv1.ListSimilarRequest) (*deskv1.ListSimilarResponse, error) {
	similar, err := s.desk.Similar(ctx, r.GetNumber())
	if err != nil {
		return nil, err
	}
	return &deskv1.ListSimilarResponse{Tickets: similar}, nil
}

// ListTechnicians is desk.Technicians.
func (s *Server) ListTechnicians(ctx context.Context, _ *deskv1.ListTechniciansRequest) (*deskv1.ListTechniciansResponse, error) {
	team, err := s.desk.Technicians(ctx)
	if err != nil {
		return nil, err
	}
	return &deskv1.ListTechniciansResponse{Technicians: team}, nil
}

// SetTechnician is desk.SetTechnician.
func (s *Server) SetTechnician(ctx context.Context, r *deskv1.SetTechnicianRequest) (*deskv1.SetTechnicianResponse, error) {
	one, err := s.desk.SetTechnician(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.SetTechnicianResponse{Technician: one}, nil
}

// GetServiceLevels is desk.ServiceLevels.
func (s *Server) GetServiceLevels(ctx context.Context, _ *deskv1.GetServiceLevelsRequest) (*deskv1.GetServiceLevelsResponse, error) {
	text, err := s.desk.ServiceLevels(ctx)
	if err != nil {
		return nil, err
	}
	return &deskv1.GetServiceLevelsResponse{Text: text}, nil
}

// SetServiceLevels is desk.SetServiceLevels.
func (s *Server) SetServiceLevels(ctx context.Context, r *deskv1.SetServiceLevelsRequest) (*deskv1.SetServiceLevelsResponse, error) {
	changed, err := s.desk.SetServiceLevels(ctx, actor(ctx), r.GetText())
	if err != nil {
		return nil, err
	}
	return &deskv1.SetServiceLevelsResponse{Changed: int32(changed)}, nil
}

// PreviewTechnician is desk.PreviewTechnician.
func (s *Server) PreviewTechnician(ctx context.Context, r *deskv1.PreviewTechnicianRequest) (*deskv1.PreviewTechnicianResponse, error) {
	return s.desk.PreviewTechnician(ctx, actor(ctx), r)
}

// LinkTickets is desk.Link.
func (s *Server) LinkTickets(ctx context.Context, r *deskv1.LinkTicketsRequest) (*deskv1.LinkTicketsResponse, error) {
	links, err := s.desk.Link(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.LinkTicketsResponse{Links: links}, nil
}

// SplitTicket is desk.Split.
func (s *Server) SplitTicket(ctx context.Context, r *deskv1.SplitTicketRequest) (*deskv1.SplitTicketResponse, error) {
	ticket, err := s.desk.Split(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.SplitTicketResponse{Ticket: ticket}, nil
}

// GetTicketFile is desk.File.
func (s *Server) GetTicketFile(ctx context.Context, r *deskv1.GetTicketFileRequest) (*deskv1.GetTicketFileResponse, error) {
	return s.desk.File(ctx, r.GetNumber(), r.GetId())
}

// ListArticles is desk.Articles.
func (s *Server) ListArticles(ctx context.Context, r *deskv1.ListArticlesRequest) (*deskv1.ListArticlesResponse, error) {
	list, err := s.desk.Articles(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.ListArticlesResponse{Articles: list}, nil
}

// GetArticle is desk.Article.
func (s *Server) GetArticle(ctx context.Context, r *deskv1.GetArticleRequest) (*deskv1.GetArticleResponse, error) {
	return s.desk.Article(ctx, actor(ctx), r)
}

// SaveArticle is desk.SaveArticle.
func (s *Server) SaveArticle(ctx context.Context, r *deskv1.SaveArticleRequest) (*deskv1.SaveArticleResponse, error) {
	one, err := s.desk.SaveArticle(ctx, actor(ctx), r.GetArticle())
	if err != nil {
		return nil, err
	}
	return &deskv1.SaveArticleResponse{Article: one}, nil
}

// RateArticle is desk.RateArticle.
func (s *Server) RateArticle(ctx context.Context, r *deskv1.RateArticleRequest) (*deskv1.RateArticleResponse, error) {
	if err := s.desk.RateArticle(ctx, actor(ctx), r); err != nil {
		return nil, err
	}
	return &deskv1.RateArticleResponse{}, nil
}

// ChangeTickets is desk.ChangeTickets.
func (s *Server) ChangeTickets(ctx context.Context, r *deskv1.ChangeTicketsRequest) (*deskv1.ChangeTicketsResponse, error) {
	results, err := s.desk.ChangeTickets(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.ChangeTicketsResponse{Results: results}, nil
}

// UndoChange is desk.Undo.
func (s *Server) UndoChange(ctx context.Context, r *deskv1.UndoChangeRequest) (*deskv1.UndoChangeResponse, error) {
	results, err := s.desk.Undo(ctx, actor(ctx), r.GetDeed())
	if err != nil {
		return nil, err
	}
	return &deskv1.UndoChangeResponse{Results: results}, nil
}
