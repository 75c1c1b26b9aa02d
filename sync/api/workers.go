package api

// DrainRequest says which workers are to take no more work.
type DrainRequest struct {
	// Worker is the name of one, or of several who share it; empty: the one that is asked.
	Worker string `json:"worker,omitempty"`
	// End: they are to take work again.
	End bool `json:"end,omitempty"`
}
