package signin_test

import (
	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// What was used once is kept in the state.
var _ signin.Once = store.Items(nil)
