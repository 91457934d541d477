package api

import (
	"context"

	"constat/collector/desk"
	deskv1 "constat/proto/constat/desk/v1"
)

// GetHistory is desk.History.
func (s *Server) GetHistory(ctx context.Context, r *deskv1.GetHistoryRequest) (*deskv1.GetHistoryResponse, error) {
	all, err := s.desk.History(ctx, desk.Subject{Requester: r.GetRequesterId(), Endpoint: r.GetEndpointId(), Peripheral: r.GetPeripheralId(), Gear: r.GetGearId()})
	if err != nil {
		return nil, err
	}
	answer := &deskv1.GetHistoryResponse{}
	for _, one := range all {
		m := &deskv1.GetHistoryResponse_Recurrence{
			Fault: one.Fault, Category: one.Category, Times: int32(one.Times), Open: int32(one.Open), First: one.First, Last: one.Last,
		}
		for _, h := range one.Helped {
			m.Helped = append(m.Helped, &deskv1.GetHistoryResponse_Solution{Number: h.Number, Text: h.Text, At: h.At})
		}
		answer.Recurrences = append(answer.Recurrences, m)
	}
	return answer, nil
}

// CheckKnowledge is desk.CheckKnowledge.
func (s *Server) CheckKnowledge(ctx context.Context, r *deskv1.CheckKnowledgeRequest) (*deskv1.CheckKnowledgeResponse, error) {
	problems, err := s.desk.CheckKnowledge(ctx, actor(ctx), r.GetChange())
	if err != nil {
		return nil, err
	}
	return &deskv1.CheckKnowledgeResponse{Problems: problems}, nil
}

// TryProcedure is desk.TryProcedure.
func (s *Server) TryProcedure(ctx context.Context, r *deskv1.TryProcedureRequest) (*deskv1.TryProcedureResponse, error) {
	t, err := s.desk.TryProcedure(ctx, actor(ctx), r.GetChange(), r.GetId(), r.GetMachine(), r.GetTaken())
	if err != nil {
		return nil, err
	}
	if len(t.Problems) > 0 {
		return &deskv1.TryProcedureResponse{Problems: t.Problems}, nil
	}
	return &deskv1.TryProcedureResponse{Procedure: t.Procedure, Taken: t.Taken, Step: t.Step, Outcome: t.Outcome}, nil
}
