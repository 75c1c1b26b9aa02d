package storetest

import (
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

func (r *strictReader) Waits(target string, after uint64, fn func(store.Wait) bool) error {
	defer r.iterate("Waits")()
	return r.r.Waits(target, after, fn)
}

func (r *strictReader) WaitsOf(target string, subjects []string) ([]store.Wait, error) {
	r.call("WaitsOf")
	return r.r.WaitsOf(target, subjects)
}

func (r *strictReader) WaitsDue(target string, by time.Time, fn func(store.Wait) bool) error {
	defer r.iterate("WaitsDue")()
	return r.r.WaitsDue(target, by, fn)
}

func (r *strictReader) NextWait(target string) (time.Time, error) {
	r.call("NextWait")
	return r.r.NextWait(target)
}

func (r *strictReader) WaitCounts(target string) (map[string]int, error) {
	r.call("WaitCounts")
	return r.r.WaitCounts(target)
}

func (r *strictReader) LinksOf(subjects []string) ([]store.Link, error) {
	r.call("LinksOf")
	return r.r.LinksOf(subjects)
}

func (r *strictReader) LinksAt(kind directory.RecordKind, ids []string) ([]store.Link, error) {
	r.call("LinksAt")
	return r.r.LinksAt(kind, ids)
}

func (r *strictReader) Links(after string, fn func(store.Link) bool) error {
	defer r.iterate("Links")()
	return r.r.Links(after, fn)
}

func (r *strictReader) LinkCounts() (map[store.LinkState]int, error) {
	r.call("LinkCounts")
	return r.r.LinkCounts()
}

func (r *strictReader) Rejected(subjects []string) ([]store.Rejection, error) {
	r.call("Rejected")
	return r.r.Rejected(subjects)
}

func (r *strictReader) Review(number uint64) (store.Review, bool, error) {
	r.call("Review")
	return r.r.Review(number)
}

func (r *strictReader) ReviewsOf(subjects []string) ([]store.Review, error) {
	r.call("ReviewsOf")
	return r.r.ReviewsOf(subjects)
}

func (r *strictReader) Reviews(after uint64, fn func(store.Review) bool) error {
	defer r.iterate("Reviews")()
	return r.r.Reviews(after, fn)
}

func (r *strictReader) ReviewCount() (int, error) {
	r.call("ReviewCount")
	return r.r.ReviewCount()
}

func (r *strictReader) Desk() (store.DeskState, error) {
	r.call("Desk")
	return r.r.Desk()
}

func (w *strictWriter) PutWait(wait store.Wait) (uint64, error) {
	w.call("PutWait")
	return w.w.PutWait(wait)
}

func (w *strictWriter) TryWaits(target string, ids []uint64) error {
	w.call("TryWaits")
	return w.w.TryWaits(target, ids)
}

func (w *strictWriter) WakeKeys(target string, keys []string, at time.Time) (int, error) {
	w.call("WakeKeys")
	return w.w.WakeKeys(target, keys, at)
}

func (w *strictWriter) WakeRecords(target string, subjects []string, at time.Time) (int, error) {
	w.call("WakeRecords")
	return w.w.WakeRecords(target, subjects, at)
}

func (w *strictWriter) WakeCause(target, cause string, at time.Time) (int, error) {
	w.call("WakeCause")
	return w.w.WakeCause(target, cause, at)
}

func (w *strictWriter) EndWaits(target string, subjects []string) (int, error) {
	w.call("EndWaits")
	return w.w.EndWaits(target, subjects)
}

func (w *strictWriter) PutLink(l store.Link) error {
	w.call("PutLink")
	return w.w.PutLink(l)
}

func (w *strictWriter) DeleteLink(subject string) (bool, error) {
	w.call("DeleteLink")
	return w.w.DeleteLink(subject)
}

func (w *strictWriter) Reject(r store.Rejection) error {
	w.call("Reject")
	return w.w.Reject(r)
}

func (w *strictWriter) Unreject(subject string, kind directory.RecordKind, id string) error {
	w.call("Unreject")
	return w.w.Unreject(subject, kind, id)
}

func (w *strictWriter) PutReview(r store.Review) (uint64, error) {
	w.call("PutReview")
	return w.w.PutReview(r)
}

func (w *strictWriter) DeleteReview(subject string) (bool, error) {
	w.call("DeleteReview")
	return w.w.DeleteReview(subject)
}

func (w *strictWriter) PutDesk(d store.DeskState) error {
	w.call("PutDesk")
	return w.w.PutDesk(d)
}
