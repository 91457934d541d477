package api

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	deskv1 "constat/proto/constat/desk/v1"
)

// mayChange refuses those who may look at gear but not say what is polled.
func mayChange(ctx context.Context) error {
	if role := actor(ctx).Role; !slices.Contains([]string{"lead", "administrator"}, role) {
		return status.Errorf(codes.PermissionDenied, "the role %q may not change which gear is polled: it takes a lead", role)
	}
	return nil
}

// everywhere refuses those limited to sites what concerns all of them.
func everywhere(ctx context.Context, what string) error {
	if len(actor(ctx).Sites) > 0 {
		return status.Errorf(codes.PermissionDenied, "%s concerns all sites: it takes somebody who is not limited to some", what)
	}
	return nil
}

// mayLook refuses those who are no staff.
func mayLook(ctx context.Context) error {
	if role := actor(ctx).Role; !slices.Contains([]string{"technician", "lead", "administrator"}, role) {
		return status.Errorf(codes.PermissionDenied, "the role %q may not look at gear: it takes a technician", role)
	}
	return nil
}

// AddGear is gear.Watch.Add.
func (s *Server) AddGear(ctx context.Context, r *deskv1.AddGearRequest) (*deskv1.AddGearResponse, error) {
	if err := mayChange(ctx); err != nil {
		return nil, err
	}
	if a := actor(ctx); len(a.Sites) > 0 {
		if !slices.Contains(a.Sites, r.GetSite()) {
			return nil, status.Errorf(codes.NotFound, "there is no site %q", r.GetSite())
		}
		// What is there already may be another site's.
		if known, err := s.watch.Known(ctx, r.GetAddress()); err != nil {
			return nil, err
		} else if known {
			if _, err := s.desk.Device(ctx, r.GetAddress()); err != nil {
				return nil, err
			}
		}
	}
	if err := s.watch.Add(ctx, r.GetAddress(), r.GetCredential(), r.GetSite()); err != nil {
		return nil, err
	}
	found, err := s.desk.Device(ctx, r.GetAddress())
	if err != nil {
		return nil, err
	}
	return &deskv1.AddGearResponse{Device: found.GetDevice()}, nil
}

// RemoveGear is gear.Watch.Remove.
func (s *Server) RemoveGear(ctx context.Context, r *deskv1.RemoveGearRequest) (*deskv1.RemoveGearResponse, error) {
	if err := mayChange(ctx); err != nil {
		return nil, err
	}
	found, err := s.desk.Device(ctx, r.GetId())
	if err != nil {
		return nil, err
	}
	if err := s.watch.Remove(ctx, found.GetDevice().GetId()); err != nil {
		return nil, err
	}
	return &deskv1.RemoveGearResponse{}, nil
}

// ListGear is desk.Devices.
func (s *Server) ListGear(ctx context.Context, _ *deskv1.ListGearRequest) (*deskv1.ListGearResponse, error) {
	if err := mayLook(ctx); err != nil {
		return nil, err
	}
	return s.desk.Devices(ctx)
}

// GetGear is desk.Device.
func (s *Server) GetGear(ctx context.Context, r *deskv1.GetGearRequest) (*deskv1.GetGearResponse, error) {
	if err := mayLook(ctx); err != nil {
		return nil, err
	}
	return s.desk.Device(ctx, r.GetId())
}

// FindStation is desk.Where.
func (s *Server) FindStation(ctx context.Context, r *deskv1.FindStationRequest) (*deskv1.FindStationResponse, error) {
	if err := mayLook(ctx); err != nil {
		return nil, err
	}
	found, err := s.desk.Where(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	return &deskv1.FindStationResponse{Attachment: found}, nil
}

// DiscoverGear is gear.Watch.Discover.
func (s *Server) DiscoverGear(ctx context.Context, r *deskv1.DiscoverGearRequest) (*deskv1.DiscoverGearResponse, error) {
	if err := mayChange(ctx); err != nil { // it sends packets, and opens devices
		return nil, err
	}
	if err := everywhere(ctx, "a discovery"); err != nil {
		return nil, err
	}
	return s.watch.Discover(ctx, r)
}

// PutCredential is gear.Watch.PutCredential.
func (s *Server) PutCredential(ctx context.Context, r *deskv1.PutCredentialRequest) (*deskv1.PutCredentialResponse, error) {
	if err := mayChange(ctx); err != nil {
		return nil, err
	}
	if err := everywhere(ctx, "a credential"); err != nil {
		return nil, err
	}
	if err := s.watch.PutCredential(ctx, r); err != nil {
		return nil, err
	}
	return &deskv1.PutCredentialResponse{}, nil
}

// ListCredentials is desk.Credentials.
func (s *Server) ListCredentials(ctx context.Context, _ *deskv1.ListCredentialsRequest) (*deskv1.ListCredentialsResponse, error) {
	if err := mayLook(ctx); err != nil {
		return nil, err
	}
	return s.desk.Credentials(ctx)
}

// RemoveCredential is gear.Watch.RemoveCredential.
func (s *Server) RemoveCredential(ctx context.Context, r *deskv1.RemoveCredentialRequest) (*deskv1.RemoveCredentialResponse, error) {
	if err := mayChange(ctx); err != nil {
		return nil, err
	}
	if err := everywhere(ctx, "a credential"); err != nil {
		return nil, err
	}
	if err := s.watch.RemoveCredential(ctx, r.GetName()); err != nil {
		return nil, err
	}
	return &deskv1.RemoveCredentialResponse{}, nil
}
