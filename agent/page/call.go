package page

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"constat/agent/local"
	constatv1 "constat/proto/constat/v1"
)

// maxBody bounds one request: text, and three pictures of 3 MiB in base64.
const maxBody = 13 << 20

// methods are those of LocalService: what a user may ask for, the page may.
var methods = constatv1.File_constat_v1_local_proto.Services().ByName("LocalService").Methods()

// call hands a request of the page to the agent: a message of LocalService as
// protojson, and the answer likewise; of a stream, one message a line.
func (p *Page) call(w http.ResponseWriter, r *http.Request) {
	method := methods.ByName(protoreflect.Name(r.PathValue("method")))
	if method == nil {
		refuse(w, http.StatusNotFound, "unknown", errors.New("there is no such call"))
		return
	}
	request, err := message(method.Input())
	if err != nil {
		refuse(w, http.StatusInternalServerError, "unknown", err)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "tooLarge", errors.New("that is too much to send at once"))
		return
	}
	if err := protojson.Unmarshal(body, request); err != nil {
		refuse(w, http.StatusBadRequest, "invalid", err)
		return
	}
	conn, err := local.Dial(r.Context(), p.socket)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, "notRunning", err)
		return
	}
	defer conn.Close()
	path := "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
	stream, err := conn.NewStream(r.Context(), &grpc.StreamDesc{ServerStreams: true}, path)
	if err == nil {
		err = stream.SendMsg(request)
	}
	if err == nil {
		err = stream.CloseSend()
	}
	if err != nil {
		fail(w, err)
		return
	}
	relay(w, stream, method.Output())
}

// relay writes what comes as lines; an error after the first of them is one too.
func relay(w http.ResponseWriter, stream grpc.ClientStream, kind protoreflect.MessageDescriptor) {
	begun := false
	for {
		answer, err := message(kind)
		if err == nil {
			err = stream.RecvMsg(answer)
		}
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil && begun:
			_ = json.NewEncoder(w).Encode(problem(err))
			return
		case err != nil:
			fail(w, err)
			return
		}
		line, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(answer)
		if err != nil {
			fail(w, err)
			return
		}
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			begun = true
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return // the page is gone
		}
		if http.NewResponseController(w).Flush() != nil {
			return
		}
	}
}

func message(d protoreflect.MessageDescriptor) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		return nil, err
	}
	return kind.New().Interface(), nil
}

// trouble is an error as the page gets it: what kind, which it words itself, and
// the agent's own sentence for whoever helps.
type trouble struct {
	Problem string `json:"problem"`
	Said    string `json:"said"`
}

func problem(err error) trouble {
	kind := "failed"
	switch status.Code(err) {
	case codes.Unavailable:
		kind = "notKept"
	case codes.Aborted:
		kind = "refused"
	case codes.FailedPrecondition:
		kind = "alone"
	case codes.NotFound:
		kind = "gone"
	case codes.Canceled:
		kind = "stopped"
	}
	return trouble{kind, status.Convert(err).Message()}
}

func fail(w http.ResponseWriter, err error) {
	t := problem(err)
	refuse(w, http.StatusBadGateway, t.Problem, errors.New(t.Said))
}

func refuse(w http.ResponseWriter, code int, kind string, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(trouble{kind, err.Error()})
}
