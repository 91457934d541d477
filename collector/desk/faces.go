package desk

import (
	"context"
	"errors"
	"time"

	constatv1 "constat/proto/constat/v1"
)

var errLater = errors.New("being written")

func (d *Desk) Create(ctx context.Context, a Actor, r *constatv1.CreateTicketRequest) (*constatv1.Ticket, error) {
	return nil, errLater
}
func (d *Desk) Ticket(ctx context.Context, number int32) (*constatv1.GetTicketResponse, error) {
	return nil, errLater
}
func (d *Desk) Tickets(ctx context.Context, r *constatv1.ListTicketsRequest) (*constatv1.ListTicketsResponse, error) {
	return nil, errLater
}
func (d *Desk) Update(ctx context.Context, a Actor, r *constatv1.UpdateTicketRequest) (*constatv1.Ticket, error) {
	return nil, errLater
}
func (d *Desk) AddEntry(ctx context.Context, a Actor, r *constatv1.AddEntryRequest) (*constatv1.TicketEntry, error) {
	return nil, errLater
}
func (d *Desk) Endpoints(ctx context.Context, r *constatv1.ListEndpointsRequest) (*constatv1.ListEndpointsResponse, error) {
	return nil, errLater
}
func (d *Desk) Endpoint(ctx context.Context, idOrHostname string) (*constatv1.GetEndpointResponse, error) {
	return nil, errLater
}
func (d *Desk) Snapshot(ctx context.Context, id string) (*constatv1.Snapshot, error) {
	return nil, errLater
}
func (d *Desk) Diagnose(ctx context.Context, a Actor, r *constatv1.DiagnoseRequest) (commandID string, err error) {
	return "", errLater
}
func (d *Desk) Follow(ctx context.Context, commandID string, send func(*constatv1.DiagnoseResponse) error) error {
	return errLater
}
func (d *Desk) Watch(ctx context.Context, ticket int32, changed func()) error { return errLater }
func (d *Desk) Ingest(ctx context.Context, endpointID string, reports []*constatv1.Report) ([]*constatv1.Receipt, error) {
	return nil, errLater
}
func (d *Desk) Connected(ctx context.Context, endpointID string, hello *constatv1.Hello) error {
	return errLater
}
func (d *Desk) Seen(ctx context.Context, endpointID string) error   { return errLater }
func (d *Desk) Disconnected(ctx context.Context, endpointID string) {}
func (d *Desk) Commands(ctx context.Context, endpointID string, deliver func(*constatv1.Command) error) error {
	return errLater
}
func (d *Desk) Progress(ctx context.Context, endpointID string, p *constatv1.Progress) error {
	return errLater
}
func (d *Desk) Finish(ctx context.Context, endpointID string, r *constatv1.CommandResult) error {
	return errLater
}
func (d *Desk) NewEnrolmentToken(ctx context.Context, secretHash []byte, uses int, expires time.Time, label string) error {
	return errLater
}
func (d *Desk) Enroll(ctx context.Context, secretHash []byte, r *constatv1.EnrollRequest, issue func(endpointID string) (serial string, notAfter time.Time, err error)) (endpointID string, err error) {
	return "", errLater
}
func (d *Desk) RecordCertificate(ctx context.Context, endpointID, serial string, notAfter time.Time) error {
	return errLater
}
func (d *Desk) CertificateState(ctx context.Context, serial string) (endpointID string, revoked bool, err error) {
	return "", false, errLater
}
func (d *Desk) RevokeEndpoint(ctx context.Context, a Actor, endpointID, reason string) error {
	return errLater
}
