package postgres

// What a source allows is for all who press it together: those who may take work, and those who still have some. Each worker's row has the
// portion that its heartbeat was told last, and a heartbeat takes no more than an even one, nor more than the others have left: nobody gets
// more before somebody else knows that there is less for him. So together they have no more than everything, also while one comes. There
// are two exceptions, for a heartbeat each: who did not hear an answer goes on with what was told before, and of two that join while the
// heartbeat of one is on its way neither may have been seen by the other.

// Portion implements fleet.Fleet.
func (f *Fleet) Portion(connection string) float64 {
	f.mu.Lock()
	m := f.member
	f.mu.Unlock()
	if m == nil {
		return 1
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.divided[connection] {
		return 1
	}
	return m.portion
}

// presses takes note of whether units of a connection are worked on by several at a time. Heartbeats tell, too, where they are, for who
// has none of them: commands read there what others have a part of.
func (m *member) presses(connection string, divided bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.divided[connection] = divided
}
