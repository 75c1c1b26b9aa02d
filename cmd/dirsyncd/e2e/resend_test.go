package e2e

import (
	"os/user"
	"testing"
)

// TestResend: a desk joins later and is told everything; it loses what it had and gets it again, through the daemon and
// without one. Nobody else hears of it.
func TestResend(t *testing.T) {
	t.Parallel()
	s := small().open(t)
	desk := openDesk(t)
	cfg := of(s)
	in := install(t, cfg.configuration())
	in.expect(0, "sync")
	s.Delete(s.PersonDN("p41"))
	in.expect(0, "sync")
	cfg.targets, cfg.more = "journal, desk", desk.block()
	in.configure(cfg.configuration())
	in.expect(0, "status").says(t, "desk is new to hq", "records with the next run")
	want, journal := wants(directoryNow(t, s)), len(in.journal())

	d := in.startReady()
	in.expect(0, "sync").says(t, "target desk is new to this connection")
	desk.mustBe(t, want)
	lose := func() { desk.with(func() { desk.world, desk.events = world{}, nil }) }
	lose()
	in.expect(0, "resend", "desk").says(t, "target desk is sent the present state of all its", "sent to one target")
	desk.mustBe(t, want)
	if got := desk.count(); got != len(want)+1 { // and the one who left
		t.Errorf("%d events, want %d and the one of who left", got, len(want))
	}
	in.expect(2, "resend", "dsk").says(t, "there is no target", "did you mean")
	in.expect(2, "resend", "desk", "nowhere")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if runs := ask[[]struct{ By string }](in, 0, "runs", "-n", "1"); len(runs) != 1 || runs[0].By != me.Username {
		t.Errorf("asked by %+v, want %s", runs, me.Username)
	}
	if len(d.logged("operator has everything sent to a target again", "user:"+me.Username)) == 0 {
		t.Error("the log does not say who asked")
	}
	d.stop()

	lose()
	desk.close()
	in.expect(1, "resend", "desk", "hq").says(t, "tried again")
	in.expect(0, "status").says(t, "desk is sent everything of hq again", "are still to be sent")
	desk.open()
	in.expect(0, "sync")
	desk.mustBe(t, want)
	if got := len(in.journal()); got != journal {
		t.Errorf("the journal got %d events", got-journal)
	}
	in.expect(0, "status")
}
