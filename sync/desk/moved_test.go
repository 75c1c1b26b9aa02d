package desk

import (
	"testing"
	"time"
)

// What waited for a human at another place waits for the first contact with the new one: nobody is asked what is not shown.
func TestReviewsOfAnotherPlace(t *testing.T) {
	scene(t, nil, func(t *testing.T, w *world) {
		two(w)
		w.run()
		if len(w.reviews()) != 1 {
			t.Fatal("there is no review")
		}
		w.stop()
		w.opts.Place, w.opts.Freely = "https://another.example", false
		w.start()
		if err := w.desk.Meet(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.rest(time.Minute)
		if waits := w.waits(); waits["review"] != len(w.reviews()) || waits["guard"] != 1 {
			t.Errorf("waits %v, %d reviews", waits, len(w.reviews()))
		}
	})
}
