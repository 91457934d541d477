package api

import (
	"context"

	deskv1 "constat/proto/constat/desk/v1"
)

// ListMaintenances is desk.Maintenances.
func (s *Server) ListMaintenances(ctx context.Context, r *deskv1.ListMaintenancesRequest) (*deskv1.ListMaintenancesResponse, error) {
	all, err := s.desk.Maintenances(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.ListMaintenancesResponse{Maintenances: all}, nil
}

// GetMaintenance is desk.Maintenance.
func (s *Server) GetMaintenance(ctx context.Context, r *deskv1.GetMaintenanceRequest) (*deskv1.GetMaintenanceResponse, error) {
	return s.desk.Maintenance(ctx, actor(ctx), r.GetId())
}

// SaveMaintenance is desk.SaveMaintenance.
func (s *Server) SaveMaintenance(ctx context.Context, r *deskv1.SaveMaintenanceRequest) (*deskv1.SaveMaintenanceResponse, error) {
	saved, err := s.desk.SaveMaintenance(ctx, actor(ctx), r.GetMaintenance())
	if err != nil {
		return nil, err
	}
	return &deskv1.SaveMaintenanceResponse{Maintenance: saved}, nil
}

// EndMaintenance is desk.EndMaintenance.
func (s *Server) EndMaintenance(ctx context.Context, r *deskv1.EndMaintenanceRequest) (*deskv1.EndMaintenanceResponse, error) {
	ended, err := s.desk.EndMaintenance(ctx, actor(ctx), r.GetId())
	if err != nil {
		return nil, err
	}
	return &deskv1.EndMaintenanceResponse{Maintenance: ended}, nil
}

// AnswerMaintenance is desk.AnswerMaintenance.
func (s *Server) AnswerMaintenance(ctx context.Context, r *deskv1.AnswerMaintenanceRequest) (*deskv1.AnswerMaintenanceResponse, error) {
	answered, err := s.desk.AnswerMaintenance(ctx, actor(ctx), r)
	if err != nil {
		return nil, err
	}
	return &deskv1.AnswerMaintenanceResponse{Answered: answered}, nil
}
