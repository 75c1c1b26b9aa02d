package storetest

import (
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/signin/key"
)

// strictReader is store.Reader.
type strictReader struct {
	*strictUse
	r store.Reader
}

// strictWriter is store.Writer.
type strictWriter struct {
	strictReader
	w store.Writer
}

var (
	_ store.Reader = (*strictReader)(nil)
	_ store.Writer = (*strictWriter)(nil)
)

func (r *strictReader) Lookup(handles []string, nums []store.Num) ([]store.Num, error) {
	r.call("Lookup")
	return r.r.Lookup(handles, nums)
}

func (r *strictReader) Owners(handles, owners []store.Num) ([]store.Num, error) {
	r.call("Owners")
	return r.r.Owners(handles, owners)
}

func (r *strictReader) Contestants(handles []store.Num, fn func(handle, object store.Num) bool) error {
	defer r.iterate("Contestants")()
	return r.r.Contestants(handles, fn)
}

func (r *strictReader) Matching() ([]key.Field, error) {
	r.call("Matching")
	return r.r.Matching()
}

func (r *strictReader) Match(keys []store.MatchKey, fn func(key int, n store.Num) bool) error {
	defer r.iterate("Match")()
	return r.r.Match(keys, fn)
}

func (w *strictWriter) SetMatching(fields []key.Field) error {
	w.call("SetMatching")
	return w.w.SetMatching(fields)
}

func (r *strictReader) Row(kind directory.Kind, n store.Num) (store.Row, bool, error) {
	r.call("Row")
	row, ok, err := r.r.Row(kind, n)
	return r.lend(row), ok, err
}

func (r *strictReader) RowsOf(kind directory.Kind, nums []store.Num, rows []store.Row) ([]store.Row, error) {
	r.call("RowsOf")
	first := len(rows)
	rows, err := r.r.RowsOf(kind, nums, rows)
	for i := first; i < len(rows); i++ {
		rows[i] = r.lend(rows[i])
	}
	return rows, err
}

func (r *strictReader) Rows(kind directory.Kind, after store.Num, fn func(store.Row) bool) error {
	defer r.iterate("Rows")()
	return r.r.Rows(kind, after, func(row store.Row) bool {
		row = copyRow(row)
		defer spoilRow(row)
		return fn(row)
	})
}

func (r *strictReader) Count(kind directory.Kind) (int, error) {
	r.call("Count")
	return r.r.Count(kind)
}

func (r *strictReader) Members(group store.Num, fn func(handle store.Num) bool) error {
	defer r.iterate("Members")()
	return r.r.Members(group, fn)
}

func (r *strictReader) MembersOf(groups []store.Num, fn func(group, handle store.Num) bool) error {
	defer r.iterate("MembersOf")()
	return r.r.MembersOf(groups, fn)
}

func (r *strictReader) MemberDigest(group store.Num) (store.MemberDigest, error) {
	r.call("MemberDigest")
	return r.r.MemberDigest(group)
}

func (r *strictReader) GroupsOf(handles []store.Num, fn func(handle, group store.Num) bool) error {
	defer r.iterate("GroupsOf")()
	return r.r.GroupsOf(handles, fn)
}

func (r *strictReader) ReferrersOf(link directory.LinkType, handles []store.Num, fn func(handle, object store.Num) bool) error {
	defer r.iterate("ReferrersOf")()
	return r.r.ReferrersOf(link, handles, fn)
}

func (r *strictReader) Memberships() (int, error) {
	r.call("Memberships")
	return r.r.Memberships()
}

func (r *strictReader) Dirty(kind directory.Kind, after store.Num, fn func(n store.Num, why store.DirtyReason) bool) error {
	defer r.iterate("Dirty")()
	return r.r.Dirty(kind, after, fn)
}

func (r *strictReader) Due(until time.Time, fn func(at time.Time, kind directory.Kind, n store.Num) bool) error {
	defer r.iterate("Due")()
	return r.r.Due(until, fn)
}

func (r *strictReader) DueOf(kind directory.Kind, nums []store.Num, times []time.Time) ([]time.Time, error) {
	r.call("DueOf")
	return r.r.DueOf(kind, nums, times)
}

func (r *strictReader) Stream(name string) (store.StreamState, error) {
	r.call("Stream")
	return r.r.Stream(name)
}

func (r *strictReader) Streams() ([]string, error) {
	r.call("Stream")
	return r.r.Streams()
}

func (r *strictReader) Seen(stream string, fn func(chunk []byte) bool) error {
	defer r.iterate("Seen")()
	return r.r.Seen(stream, func(chunk []byte) bool { return lendBytes(chunk, fn) })
}

func (r *strictReader) Journal(after uint64, fn func(n uint64, entries []store.JournalEntry) bool) error {
	defer r.iterate("Journal")()
	return r.r.Journal(after, func(n uint64, entries []store.JournalEntry) bool {
		lent := slices.Clone(entries)
		defer clear(lent)
		return fn(n, lent)
	})
}

func (r *strictReader) JournalBounds() (first, last uint64, err error) {
	r.call("JournalBounds")
	return r.r.JournalBounds()
}

func (r *strictReader) Record(kind directory.RecordKind, n store.Num) (directory.Record, bool, error) {
	r.call("Record")
	return r.r.Record(kind, n)
}

func (r *strictReader) RecordsOf(m *directory.Memory, kinds []directory.RecordKind, nums []store.Num, fn func(store.Num, directory.Record) bool) error {
	defer r.iterate("RecordsOf")()
	return r.r.RecordsOf(m, kinds, nums, fn)
}

func (r *strictReader) Records(kind directory.RecordKind, after store.Num, fn func(store.Num, directory.Record) bool) error {
	defer r.iterate("Records")()
	return r.r.Records(kind, after, fn)
}

func (r *strictReader) ActiveRecords(kind directory.RecordKind) (int, error) {
	r.call("ActiveRecords")
	return r.r.ActiveRecords(kind)
}

func (r *strictReader) Targets() ([]string, error) {
	r.call("Targets")
	return r.r.Targets()
}

func (r *strictReader) Outbox(target string, after uint64, fn func(store.Queued) bool) error {
	defer r.iterate("Outbox")()
	return r.r.Outbox(target, after, func(q store.Queued) bool {
		return lendBytes(q.Data, func(data []byte) bool { q.Data = data; return fn(q) })
	})
}

func (r *strictReader) Claimed(target string) (uint64, error) {
	r.call("Claimed")
	return r.r.Claimed(target)
}

func (r *strictReader) OutboxDepth(target string) (depth int, oldest time.Time, err error) {
	r.call("OutboxDepth")
	return r.r.OutboxDepth(target)
}

func (r *strictReader) Parked(fn func(store.Parked) bool) error {
	defer r.iterate("Parked")()
	return r.r.Parked(fn)
}

func (r *strictReader) ParkedObject(kind directory.Kind, id string) (store.Parked, bool, error) {
	r.call("ParkedObject")
	return r.r.ParkedObject(kind, id)
}

func (r *strictReader) ParkedAction(target, subject string) (store.Parked, bool, error) {
	r.call("ParkedAction")
	return r.r.ParkedAction(target, subject)
}

func (r *strictReader) ParkedCount() (int, error) {
	r.call("ParkedCount")
	return r.r.ParkedCount()
}

func (r *strictReader) Tenant() (store.TenantState, error) {
	r.call("Tenant")
	return r.r.Tenant()
}

func (r *strictReader) RunActions(run string, from int, fn func(int, directory.RunAction) bool) error {
	defer r.iterate("RunActions")()
	return r.r.RunActions(run, from, fn)
}

func (r *strictReader) ActionsOf(key string, fn func(string, directory.RunAction) bool) error {
	defer r.iterate("ActionsOf")()
	return r.r.ActionsOf(key, fn)
}

func (r *strictReader) ActionsKept() (string, int, int64, error) {
	r.call("ActionsKept")
	return r.r.ActionsKept()
}

func (r *strictReader) Runs(fn func(store.Run) bool) error {
	defer r.iterate("Runs")()
	return r.r.Runs(fn)
}

func (w *strictWriter) Intern(handles []string, nums []store.Num) ([]store.Num, error) {
	w.call("Intern")
	return w.w.Intern(handles, nums)
}

func (w *strictWriter) PutRow(o *directory.Object, gone store.GoneCause) (store.Num, error) {
	w.call("PutRow")
	return w.w.PutRow(o, gone)
}

func (w *strictWriter) Give(handle, object store.Num) error {
	w.call("Give")
	return w.w.Give(handle, object)
}

func (w *strictWriter) SetGone(kind directory.Kind, n store.Num, gone store.GoneCause) error {
	w.call("SetGone")
	return w.w.SetGone(kind, n, gone)
}

func (w *strictWriter) DeleteRow(kind directory.Kind, n store.Num) error {
	w.call("DeleteRow")
	return w.w.DeleteRow(kind, n)
}

func (w *strictWriter) AddMembers(group store.Num, handles []store.Num, added []store.Num) ([]store.Num, error) {
	w.call("AddMembers")
	return w.w.AddMembers(group, handles, added)
}

func (w *strictWriter) RemoveMembers(group store.Num, handles []store.Num, removed []store.Num) ([]store.Num, error) {
	w.call("RemoveMembers")
	return w.w.RemoveMembers(group, handles, removed)
}

func (w *strictWriter) SetMemberDigest(group store.Num, d store.MemberDigest) error {
	w.call("SetMemberDigest")
	return w.w.SetMemberDigest(group, d)
}

func (w *strictWriter) MarkDirty(kind directory.Kind, n store.Num, why store.DirtyReason) error {
	w.call("MarkDirty")
	return w.w.MarkDirty(kind, n, why)
}

func (w *strictWriter) ClearDirty(kind directory.Kind, nums []store.Num) error {
	w.call("ClearDirty")
	return w.w.ClearDirty(kind, nums)
}

func (w *strictWriter) PutDue(kind directory.Kind, n store.Num, at time.Time) error {
	w.call("PutDue")
	return w.w.PutDue(kind, n, at)
}

func (w *strictWriter) PutStream(name string, s store.StreamState) error {
	w.call("PutStream")
	return w.w.PutStream(name, s)
}

func (w *strictWriter) AppendSeen(stream string, chunk []byte) error {
	w.call("AppendSeen")
	return w.w.AppendSeen(stream, chunk)
}

func (w *strictWriter) ClearSeen(stream string) error {
	w.call("ClearSeen")
	return w.w.ClearSeen(stream)
}

func (w *strictWriter) AppendJournal(begin uint64, keep int, entries []store.JournalEntry) error {
	w.call("AppendJournal")
	return w.w.AppendJournal(begin, keep, entries)
}

func (w *strictWriter) DropJournal() error {
	w.call("DropJournal")
	return w.w.DropJournal()
}

func (w *strictWriter) PutRecord(n store.Num, rec *directory.Record) error {
	w.call("PutRecord")
	return w.w.PutRecord(n, rec)
}

func (w *strictWriter) Enqueue(target string, a *directory.Action, queued time.Time) error {
	w.call("Enqueue")
	return w.w.Enqueue(target, a, queued)
}

func (w *strictWriter) Claim(target string, upTo uint64) error {
	w.call("Claim")
	return w.w.Claim(target, upTo)
}

func (w *strictWriter) Replace(target string, seq uint64, a *directory.Action) error {
	w.call("Replace")
	return w.w.Replace(target, seq, a)
}

func (w *strictWriter) Dequeue(target string, seqs []uint64) error {
	w.call("Dequeue")
	return w.w.Dequeue(target, seqs)
}

func (w *strictWriter) Park(p store.Parked) (id uint64, err error) {
	w.call("Park")
	return w.w.Park(p)
}

func (w *strictWriter) Unpark(id uint64) (bool, error) {
	w.call("Unpark")
	return w.w.Unpark(id)
}

func (w *strictWriter) PutTenant(t store.TenantState) error {
	w.call("PutTenant")
	return w.w.PutTenant(t)
}

func (w *strictWriter) KeepActions(run string, from int, list []directory.RunAction) error {
	w.call("KeepActions")
	return w.w.KeepActions(run, from, list)
}

func (w *strictWriter) ForgetActions(before string, most int64) error {
	w.call("ForgetActions")
	return w.w.ForgetActions(before, most)
}

func (w *strictWriter) PutRun(r store.Run) error {
	w.call("PutRun")
	return w.w.PutRun(r)
}
