package proof

import (
	"math/rand/v2"
	"testing"
	"time"

	"dirsyncd/connectors"
)

// world is a simulated service with a population, as all tests of this package need it.
type world struct {
	name string
	// timeout is how long connectors wait for a service that says nothing. It is long, because machines are busy;
	// where a service is to hang, it is made short.
	timeout time.Duration
	open    func(*testing.T, connectors.Env) connectors.Connector
	// join and leave make sure changes of people, change makes any one; false when it found nothing to change.
	join, leave func(*testing.T)
	change      func(*testing.T, *rand.Rand) bool
	// hurt makes something go wrong; mend undoes it.
	hurt func(*testing.T, *wrong)
	mend func()
}

// patience is how long anything may take that is meant to work.
const patience = 5 * time.Minute

// worlds are one per connector, by its name.
func worlds() map[string]func(*testing.T) *world {
	return map[string]func(*testing.T) *world{
		"ldap": ldapWorld, "entra": entraWorld, "csp": cspWorld, "google": googleWorld, "okta": oktaWorld, "delinea": delineaWorld,
		"files": filesWorld, "sql": sqlWorld, "merge": mergeWorld, "distinct": distinctWorld,
	}
}

// source is the world for random changes.
func (w *world) source(changes int) *source {
	return &source{name: w.name, changes: changes, change: w.change,
		open: func(t *testing.T) connectors.Connector {
			c := w.open(t, quietEnv())
			t.Cleanup(func() { _ = c.Close() })
			return c
		}}
}

func pick[T any](rnd *rand.Rand, list []T) T { return list[rnd.IntN(len(list))] }
