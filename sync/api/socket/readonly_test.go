package socket_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"reflect"
	"strconv"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/apitest"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/fault"
)

// TestReadOnlyChangesNothing tries every operation that there is by the socket of those who may look: with as little in its request as there may be,
// and with everything. The fake answers nothing, so that what gets to it fails in another way than what is refused.
func TestReadOnlyChangesNothing(t *testing.T) {
	type may struct{ little, all bool }
	looks := map[string]may{
		"Status": {true, true}, "Held": {true, true}, "Runs": {true, true}, "RunActions": {true, true}, "PlanUndo": {true, true}, "WhyAt": {true, true}, "Why": {true, true}, "Show": {true, true}, "Parked": {true, true},
		"Matches": {true, true}, "Stored": {true, true}, "SigninAttempts": {true, true}, "SigninSessions": {true, true}, "Decisions": {true, true},
		"SigninWho": {true, true}, "SigninLinks": {true, true},
		"Adopt": {true, false}, "SigninKeys": {true, false}, // what they do depends on what is asked for
	}
	changes := map[string]may{
		"Sync": {}, "Plan": {}, "PlanAt": {}, "Approve": {}, "Discard": {}, "Drain": {}, "Publish": {}, "Undo": {}, "Resend": {}, "Replay": {}, "Drop": {}, "Decide": {}, "Audit": {},
		"RenameConnection": {}, "RetireConnection": {}, "EndSessions": {}, "Unlink": {}, "Backup": {},
	}
	path := start(t, api.ReadOnly(&apitest.Fake{}))
	ops := reflect.TypeFor[api.Operations]()
	for i := range ops.NumMethod() {
		method := ops.Method(i)
		want, known := looks[method.Name]
		if _, refused := changes[method.Name]; !known && !refused {
			t.Errorf("%s: say here whether somebody who may only look may do it", method.Name)
			continue
		}
		for name, c := range map[string]struct {
			full bool
			may  bool
		}{"little": {false, want.little}, "all": {true, want.all}} {
			class := fault.ClassOf(call(t, reflect.ValueOf(client(t, path)).MethodByName(method.Name), c.full))
			if refused := class == fault.Forbidden; refused == c.may || !refused && class != fault.Internal {
				t.Errorf("%s with %s: %q", method.Name, name, class)
			}
		}
	}
	for _, c := range []struct {
		req  api.PlanRequest
		want fault.Class
	}{{api.PlanRequest{Offline: true}, fault.Internal}, {api.PlanRequest{Offline: true, Config: &api.ConfigText{}}, fault.Forbidden}} {
		_, err := client(t, path).Plan(t.Context(), c.req, func(api.PlannedAction) {})
		if fault.ClassOf(err) != c.want {
			t.Errorf("plan %+v: %v", c.req, err)
		}
	}
}

// call calls an operation and returns its error.
func call(t *testing.T, method reflect.Value, full bool) error {
	t.Helper()
	var in []reflect.Value
	for i := range method.Type().NumIn() {
		v := reflect.New(method.Type().In(i)).Elem()
		switch {
		case v.Type() == reflect.TypeFor[context.Context]():
			v.Set(reflect.ValueOf(t.Context()))
		case v.Kind() == reflect.Interface:
			v.Set(reflect.ValueOf(&bytes.Buffer{}))
		case v.Kind() == reflect.Func:
			v.Set(reflect.MakeFunc(v.Type(), func([]reflect.Value) []reflect.Value { return nil }))
		case full && v.Type() == reflect.TypeFor[api.PlanRequest]():
			v.Set(reflect.ValueOf(api.PlanRequest{Connections: []string{"hq"}, Full: true, Offline: true, User: "ada", Config: &api.ConfigText{}})) // one refers to itself
		case full:
			apitest.Fill(v)
		}
		in = append(in, v)
	}
	out := method.Call(in)
	err, _ := out[len(out)-1].Interface().(error)
	return err
}

// TestListenForAGroup: the group may use the socket, and nobody else.
func TestListenForAGroup(t *testing.T) {
	path := socketPath(t)
	s := socket.NewServer(&apitest.Fake{}, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	if err := s.ListenFor("no-such-group-here", path); fault.ClassOf(err) != fault.Configuration {
		t.Errorf("no group: %v", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("a socket for nobody was left behind")
	}
	if err := s.ListenFor(strconv.Itoa(os.Getgid()), path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != 0o660|os.ModeSocket {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
