package service

import (
	"errors"
	"testing"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

func TestProbeSaysAHintOnce(t *testing.T) {
	r := withError(api.ProbeResult{}, &fault.Error{Op: "check folder", Where: "/nonexist", Err: errors.New("no such folder"), Hint: "create the folder"})
	if r.Error != "check folder: /nonexist: no such folder" || r.Hint != "create the folder" {
		t.Errorf("%+v", r)
	}
}
