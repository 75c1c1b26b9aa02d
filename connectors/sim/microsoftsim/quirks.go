package microsoftsim

// Quirks are lawful oddities of the real service, for all tenants.
type Quirks struct {
	// FirstRoundRemoved: a first delta round also tells of deleted objects and of former members.
	FirstRoundRemoved bool
	// EmptyPages: before every page of a delta comes an empty one with a link.
	EmptyPages bool
	// Duplicates: a page of a delta begins with the last object of the page before.
	Duplicates bool
	// Replays: a round tells again what the round before told.
	Replays bool
	// Interleave: the parts of groups that need several pages come after the first parts of all groups.
	Interleave bool
	// PurgeInGroups: deleting an object for good removes it from its groups' deltas.
	PurgeInGroups bool
	// DelayRounds: a change shows in a delta only after so many later rounds have begun.
	DelayRounds int
	// ExtensionEcho: with one directory extension in a minimal answer come all.
	ExtensionEcho bool
	// BlankPhotos: who has no photo has a picture of one pixel without a tag, in place of an answer 404.
	BlankPhotos bool
	// Shuffle: the answers of a batch come in reverse order.
	Shuffle bool
	// NoByteOrderMark: Partner Center's JSON comes without the mark that it usually begins with.
	NoByteOrderMark bool
	// RevokeOldRefresh: using a refresh token ends it, so that only the one that was handed out for it works.
	RevokeOldRefresh bool
	// KeepRefresh: using a refresh token hands out no new one.
	KeepRefresh bool

	deltaBefore, skipBefore int64
}

// SetQuirks replaces the quirks.
func (s *Server) SetQuirks(q Quirks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.deltaBefore, q.skipBefore = s.quirks.deltaBefore, s.quirks.skipBefore
	s.quirks = q
}
