package api_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"constat/collector/desk"
	"constat/collector/store/query"
	deskv1 "constat/proto/constat/desk/v1"
	constatv1 "constat/proto/constat/v1"
)

// Who may make a call.
type rights struct {
	// roles that may, besides administrators.
	roles string
	// site: what the call names is of Paris, and only who sees Paris may; all: only
	// who is limited to no site.
	site, all bool
	// own: the requester whose ticket it is may, too.
	own bool
}

var (
	work     = rights{roles: "technician lead"}
	workSite = rights{roles: "technician lead", site: true}
	leadSite = rights{roles: "lead", site: true}
	leadAll  = rights{roles: "lead", all: true}
	governs  = rights{all: true}
	anyone   = rights{roles: "requester technician lead"}
)

// paris is a word in everything of Paris, and nowhere else.
const paris = "zinc-canary"

// Every call, by every role at every site: who may not make it learns nothing. A
// call that is not in the table fails the test: say who may make it.
func TestRights(t *testing.T) {
	h := open(t)
	boss := desk.Actor{Name: "boss", Role: "lead"}
	var machine, device, file string
	var number, version int32
	for _, site := range []string{"Lyon", "Paris"} {
		host := map[string]string{"Lyon": "lyon", "Paris": paris}[site]
		hash := []byte(site)
		if err := h.desk.NewEnrolmentToken(t.Context(), hash, 1, time.Now().Add(time.Hour), ""); err != nil {
			t.Fatal(err)
		}
		if err := h.desk.SetTokenSite(t.Context(), hash, site); err != nil {
			t.Fatal(err)
		}
		pc, err := h.desk.Enroll(t.Context(), hash, &constatv1.EnrollRequest{Hostname: host + "-pc", MachineHash: site},
			func(string) (string, time.Time, error) { return site, time.Now().Add(time.Hour), nil })
		if err != nil {
			t.Fatal(err)
		}
		ticket, err := h.desk.Create(t.Context(), boss, &deskv1.CreateTicketRequest{EndpointId: pc, Draft: &constatv1.TicketDraft{
			Id: newID(), Text: "help at " + host, Requester: &constatv1.Person{Name: "requester's name"}, Channel: "api",
		}})
		if err != nil || ticket.GetSite() != site {
			t.Fatalf("%v (%v)", ticket, err)
		}
		_, err = h.desk.AddEntry(t.Context(), boss, &deskv1.AddEntryRequest{
			Number: ticket.GetNumber(), Id: newID(), Kind: "note", Text: "a note of " + host, Files: []*deskv1.NewFile{{Name: host + ".txt", Content: []byte(host)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		id := newID()
		err = h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error {
			_, err := q.AddGear(ctx, query.AddGearParams{ID: id, Address: host + ".example.org", Site: site, Credential: "floors", AddedAt: 1})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if site == "Lyon" {
			continue
		}
		found, err := h.desk.Ticket(t.Context(), ticket.GetNumber())
		if err != nil {
			t.Fatal(err)
		}
		machine, device, number, version = pc, id, ticket.GetNumber(), found.GetTicket().GetVersion()
		for _, e := range found.GetTimeline() {
			for _, f := range e.GetFiles() {
				file = f.GetId()
			}
		}
	}
	draft := func() *constatv1.TicketDraft { return &constatv1.TicketDraft{Id: newID(), Text: "new"} }
	// Of the team, for Paris; saved anew it is met by a version that it has not seen.
	shared, err := h.desk.SaveAnswer(t.Context(), boss, &deskv1.Answer{Id: newID(), Site: "Paris", Texts: []*deskv1.AnswerText{{Language: "en", Title: paris, Body: "Hello {requester.name}"}}})
	if err != nil {
		t.Fatal(err)
	}
	shared.Version += 99
	err = h.store.Write(t.Context(), func(ctx context.Context, q *query.Queries) error { return q.AddCheck(ctx, number, 1, "sweep") })
	if err != nil {
		t.Fatal(err)
	}
	planned, err := h.desk.SaveMaintenance(t.Context(), boss, &deskv1.Maintenance{
		Id: newID(), From: timestamppb.New(time.Now().Add(time.Hour)), Until: timestamppb.New(time.Now().Add(2 * time.Hour)),
		Texts: []*deskv1.AnnouncementText{{Language: "en", Title: paris}}, Machines: &deskv1.MachineSelector{Sites: []string{"Paris"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	planned.Version += 99
	table := map[string]struct {
		request proto.Message
		who     rights
	}{
		"ListTickets":       {&deskv1.ListTicketsRequest{}, anyone},
		"GetTicket":         {&deskv1.GetTicketRequest{Number: number}, rights{roles: "technician lead", site: true, own: true}},
		"CreateTicket":      {&deskv1.CreateTicketRequest{Draft: draft(), EndpointId: machine}, workSite},
		"UpdateTicket":      {&deskv1.UpdateTicketRequest{Number: number, Version: version + 99}, workSite},
		"AddEntry":          {&deskv1.AddEntryRequest{Number: number, Id: newID(), Kind: "message", Text: "hello"}, rights{roles: "technician lead", site: true, own: true}},
		"MergeTicket":       {&deskv1.MergeTicketRequest{Number: number, Version: version + 99, Into: number - 1}, rights{roles: "technician lead", site: true, all: true}},
		"LinkTickets":       {&deskv1.LinkTicketsRequest{Number: number, Other: number, Kind: "related"}, workSite},
		"SplitTicket":       {&deskv1.SplitTicketRequest{Number: number, Version: version + 99, Id: newID()}, workSite},
		"GetTicketFile":     {&deskv1.GetTicketFileRequest{Number: number, Id: file}, workSite},
		"ListEndpoints":     {&deskv1.ListEndpointsRequest{}, work},
		"GetEndpoint":       {&deskv1.GetEndpointRequest{Id: machine}, workSite},
		"GetSnapshot":       {&deskv1.GetSnapshotRequest{Id: newID()}, rights{site: true, all: true}}, // none is there
		"Diagnose":          {&deskv1.DiagnoseRequest{EndpointId: machine}, workSite},
		"RequestRemedy":     {&deskv1.RequestRemedyRequest{Ticket: number, Verb: "no-such-verb"}, workSite},
		"RevokeEndpoint":    {&deskv1.RevokeEndpointRequest{EndpointId: machine}, leadSite},
		"EraseEndpoint":     {&deskv1.EraseEndpointRequest{EndpointId: machine, Hostname: "another"}, governs},
		"SetEndpointSite":   {&deskv1.SetEndpointSiteRequest{EndpointId: machine, Site: "Paris"}, leadSite},
		"ListSimilar":       {&deskv1.ListSimilarRequest{Number: number}, workSite},
		"ListTechnicians":   {&deskv1.ListTechniciansRequest{}, work},
		"SetTechnician":     {&deskv1.SetTechnicianRequest{Technician: &deskv1.Technician{Name: "nobody"}}, leadAll},
		"GetServiceLevels":  {&deskv1.GetServiceLevelsRequest{}, work},
		"SetServiceLevels":  {&deskv1.SetServiceLevelsRequest{}, governs},
		"PreviewTechnician": {&deskv1.PreviewTechnicianRequest{Technician: &deskv1.Technician{Name: "nobody"}}, leadAll},
		"ListArticles":      {&deskv1.ListArticlesRequest{}, anyone},
		"GetArticle":        {&deskv1.GetArticleRequest{Id: newID()}, rights{all: true, site: true}}, // none is there
		"SaveArticle":       {&deskv1.SaveArticleRequest{Article: &deskv1.Article{}}, work},
		"RateArticle":       {&deskv1.RateArticleRequest{Id: newID()}, rights{all: true, site: true}}, // none is there

		"ListProcedures":   {&deskv1.ListProceduresRequest{}, work},
		"RateProcedure":    {&deskv1.RateProcedureRequest{Id: "internet", Version: 1}, work},
		"GetProcedure":     {&deskv1.GetProcedureRequest{Id: "internet"}, work},
		"ListKnowledge":    {&deskv1.ListKnowledgeRequest{}, work},
		"GetKnowledge":     {&deskv1.GetKnowledgeRequest{}, work},
		"PreviewKnowledge": {&deskv1.PreviewKnowledgeRequest{}, work},
		"CheckKnowledge":   {&deskv1.CheckKnowledgeRequest{}, work},
		"TryProcedure":     {&deskv1.TryProcedureRequest{Id: "printing"}, work},
		"GetHistory":       {&deskv1.GetHistoryRequest{EndpointId: machine}, work},
		"PushKnowledge":    {&deskv1.PushKnowledgeRequest{Percent: -1}, leadAll},
		"ReleaseKnowledge": {&deskv1.ReleaseKnowledgeRequest{Percent: -1}, leadAll},
		// None is there to go back to.
		"RollBackKnowledge": {&deskv1.RollBackKnowledgeRequest{Revision: 99}, leadAll},

		// What it does, it says ticket by ticket; and there is nothing to undo.
		"ChangeTickets": {&deskv1.ChangeTicketsRequest{Tickets: []*deskv1.SeenTicket{{Number: number, Version: version}}, Change: &deskv1.UpdateTicketRequest{AddTags: []string{"seen"}}}, work},
		"UndoChange":    {&deskv1.UndoChangeRequest{Deed: newID()}, work},

		"AddGear":          {&deskv1.AddGearRequest{Address: paris + ".example.org", Credential: "none", Site: "Paris"}, leadSite},
		"RemoveGear":       {&deskv1.RemoveGearRequest{Id: device}, leadSite},
		"ListGear":         {&deskv1.ListGearRequest{}, work},
		"GetGear":          {&deskv1.GetGearRequest{Id: device}, workSite},
		"FindStation":      {&deskv1.FindStationRequest{Query: machine}, workSite},
		"DiscoverGear":     {&deskv1.DiscoverGearRequest{}, leadAll},
		"PutCredential":    {&deskv1.PutCredentialRequest{}, leadAll},
		"ListCredentials":  {&deskv1.ListCredentialsRequest{}, work},
		"RemoveCredential": {&deskv1.RemoveCredentialRequest{Name: "none"}, leadAll},

		"ListAnswers":  {&deskv1.ListAnswersRequest{}, work},
		"SaveAnswer":   {&deskv1.SaveAnswerRequest{Answer: shared}, leadSite},
		"DeleteAnswer": {&deskv1.DeleteAnswerRequest{Id: shared.GetId()}, leadSite},
		"FillAnswers":  {&deskv1.FillAnswersRequest{Number: number}, workSite},

		"ListForms": {&deskv1.ListFormsRequest{}, anyone},
		"SaveForm":  {&deskv1.SaveFormRequest{Form: &deskv1.RequestForm{Id: newID(), Source: "name: {en: " + paris + "}\nsite: Paris"}}, leadSite},
		"CheckItem": {&deskv1.CheckItemRequest{Number: number, Position: 1}, workSite},

		"ListMaintenances":  {&deskv1.ListMaintenancesRequest{}, work},
		"GetMaintenance":    {&deskv1.GetMaintenanceRequest{Id: planned.GetId()}, workSite},
		"SaveMaintenance":   {&deskv1.SaveMaintenanceRequest{Maintenance: planned}, leadSite},
		"EndMaintenance":    {&deskv1.EndMaintenanceRequest{Id: planned.GetId()}, leadSite},
		"AnswerMaintenance": {&deskv1.AnswerMaintenanceRequest{Id: planned.GetId(), EntryId: newID(), Text: "done"}, workSite},

		"ListViews":  {&deskv1.ListViewsRequest{}, work},
		"PutView":    {&deskv1.PutViewRequest{View: &deskv1.View{Id: newID(), Name: "mine", Query: "status=any"}}, work},
		"DeleteView": {&deskv1.DeleteViewRequest{Id: newID()}, work},

		"ListAccounts":   {&deskv1.ListAccountsRequest{}, governs},
		"RemoveAccount":  {&deskv1.RemoveAccountRequest{Name: "nobody"}, governs},
		"LimitAccount":   {&deskv1.LimitAccountRequest{Name: "nobody"}, governs},
		"RestoreAccount": {&deskv1.RestoreAccountRequest{Name: "nobody"}, governs},

		"ListNotices":   {&deskv1.ListNoticesRequest{}, anyone},
		"ReadNotices":   {&deskv1.ReadNoticesRequest{}, anyone},
		"GetNoticeRule": {&deskv1.GetNoticeRuleRequest{}, work},
		"SetNoticeRule": {&deskv1.SetNoticeRuleRequest{}, work},
		"GetDelivery":   {&deskv1.GetDeliveryRequest{}, governs},
		"SetMailServer": {&deskv1.SetMailServerRequest{}, governs},
		"SendTestMail":  {&deskv1.SendTestMailRequest{}, governs},
		"PutWebhook":    {&deskv1.PutWebhookRequest{}, governs},
		"DeleteWebhook": {&deskv1.DeleteWebhookRequest{Name: "none"}, governs},
		"RetryDelivery": {&deskv1.RetryDeliveryRequest{}, governs},
	}
	callers := map[string]context.Context{"": t.Context(), "requester": h.as("requester")}
	for _, role := range []string{"technician", "lead", "administrator"} {
		callers[role], callers[role+" Lyon"], callers[role+" Paris"] = h.as(role), h.as(role, "Lyon"), h.as(role, "Paris")
	}
	var names []string
	for service, info := range h.server.GetServiceInfo() {
		for _, method := range info.Methods {
			names = append(names, "/"+service+"/"+method.Name)
		}
	}
	// What ends things comes last.
	slices.SortFunc(names, func(a, b string) int {
		last := func(s string) int {
			if strings.Contains(s, "/Remove") || strings.Contains(s, "/Delete") || strings.Contains(s, "/Revoke") {
				return 1
			}
			return 0
		}
		return last(a) - last(b)
	})
	for _, name := range names {
		short := name[strings.LastIndex(name, "/")+1:]
		row, known := table[short]
		if !known {
			t.Errorf("%s has no row in this test: say who may call it", name)
			continue
		}
		for caller, ctx := range callers {
			role, site, _ := strings.Cut(caller, " ")
			may := role == "administrator" || role != "" && slices.Contains(strings.Fields(row.who.roles), role)
			may = may && !(row.who.site && site == "Lyon") && !(row.who.all && site != "")
			may = may || row.who.own && role == "requester"
			answer, err := call(ctx, t, h.conn, name, row.request)
			code := status.Code(err)
			if code == codes.Unimplemented {
				continue
			}
			refused := code == codes.PermissionDenied || code == codes.Unauthenticated || code == codes.NotFound
			if row.who.all && row.who.site {
				refused, may = code == codes.PermissionDenied || code == codes.Unauthenticated, role != ""
				if role == "requester" {
					continue // either
				}
			}
			if ended := strings.HasPrefix(short, "Re") && code == codes.NotFound; may && refused && !ended && !missing[short] {
				t.Errorf("%s as %q: %v", short, caller, err)
			}
			if !may && !refused {
				t.Errorf("%s as %q is answered: %v %v", short, caller, answer, err)
			}
			if row.who.site && site == "Lyon" && !row.who.all && slices.Contains(strings.Fields(row.who.roles+" administrator"), role) && code != codes.NotFound {
				t.Errorf("%s as %q says that there is something: %v", short, caller, err)
			}
			told := answer + status.Convert(err).Message()
			if (site == "Lyon" || role == "") && strings.Contains(told, paris) && !strings.Contains(short, "AddGear") {
				t.Errorf("%s as %q tells of Paris: %s", short, caller, told)
			}
			if role == "requester" && (strings.Contains(told, "a note of") || strings.Contains(told, paris+".txt")) {
				t.Errorf("%s tells a requester an internal note: %s", short, told)
			}
		}
	}
	if answer, err := call(callers["requester"], t, h.conn, "/constat.desk.v1.DeskService/GetTicket", &deskv1.GetTicketRequest{Number: number}); err != nil || !strings.Contains(answer, "help at "+paris) {
		t.Errorf("a requester does not read their own ticket: %s (%v)", answer, err)
	}
	if answer, err := call(callers["requester"], t, h.conn, "/constat.desk.v1.DeskService/ListTickets", &deskv1.ListTicketsRequest{Query: "new"}); err != nil || strings.Contains(answer, "technician's") {
		t.Errorf("a requester finds others' tickets: %s (%v)", answer, err)
	}
}

// missing are calls that name what is not there, on purpose.
var missing = map[string]bool{"DeleteAnswer": true, "DeleteWebhook": true, "RemoveCredential": true, "UndoChange": true, "GetProcedure": true, "GetKnowledge": true, "RollBackKnowledge": true, "ReleaseKnowledge": true, "SetTechnician": true, "PreviewTechnician": true,
	"PutView": true, "DeleteView": true, "RemoveAccount": true, "LimitAccount": true, "RestoreAccount": true}

// call makes a call of any kind, and gives the first answer as text.
func call(ctx context.Context, t *testing.T, conn *grpc.ClientConn, method string, request proto.Message) (string, error) {
	t.Helper()
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(strings.Trim(method, "/"), "/", ".")))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if _, set := metadata.FromOutgoingContext(ctx); !set {
		ctx = metadata.NewOutgoingContext(ctx, metadata.MD{})
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return "", err
	}
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if err := stream.CloseSend(); err != nil {
		return "", err
	}
	answer := dynamicpb.NewMessage(found.(protoreflect.MethodDescriptor).Output())
	if err := stream.RecvMsg(answer); err != nil {
		return "", err
	}
	return answer.String(), nil
}
