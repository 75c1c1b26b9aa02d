package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"dirsyncd/store"
	"dirsyncd/store/encoding"
	"dirsyncd/sync/fault"
)

// Options say how a database is used. The zero value of all but URL is right for a service.
type Options struct {
	// URL is how the database is reached: a URL or a string of keywords and values, as libpq takes them. Unless it says otherwise
	// (sslmode), the connection is encrypted and the server proves who it is (verify-full), but for a socket or this machine.
	URL string
	// Password is the role's; empty when it needs none or the URL has it.
	Password string
	// Schema is the schema that has the state: lower-case letters, digits and underscores. Empty means "dirsyncd".
	Schema string
	// ReadOnly opens a state that is there for View only.
	ReadOnly bool
	// Connections bounds those of the pool; zero means 12.
	Connections int
	// Log is told when the database is gone, and when it is back; nil tells nobody.
	Log *slog.Logger
	// LeaseFor is how long a process has its leases after the last sign of life; zero means six seconds.
	LeaseFor time.Duration
	// Dial makes a connection in place of the system's own way, for who wants to see what goes over it; nil means that way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	longView    time.Duration // zero means longView
	longestView time.Duration // zero means longestView

	steps  []migration // in place of the package's own; for tests
	tracer pgx.QueryTracer
}

// DefaultSchema is the schema that has the state where nothing else is said.
const DefaultSchema = "dirsyncd"

const (
	defaultConnections = 12
	connectTimeout     = 10 * time.Second
	// pingTimeout is how long a connection that was not used for a while may take to prove that it is alive.
	pingTimeout = 3 * time.Second
	// trusted is how long a connection that nobody used is believed to be there. It is longer than the pauses of those who look every second or
	// two: each of them would ask twice.
	trusted = 5 * time.Second
	// longView is from when on it is told that a view is held open.
	longView = 5 * time.Second
	// longestView is how long a view may go on. Nothing that was deleted since it began can be cleaned up in the whole database: whoever keeps one open for
	// that long, because somebody does not read on or by a defect, costs all others more than what it reads is worth. It is far beyond what the
	// largest tenant takes, and where the alert on the oldest snapshot begins.
	longestView = 5 * time.Minute
)

// Store is the state in a schema of a database. It implements store.Store; its methods may be called concurrently.
type Store struct {
	pool        *pgxpool.Pool
	config      *pgxpool.Config
	lineDial    pgconn.DialFunc // in place of the configuration's, for the line of signs of life; nil: that one
	owned       bool            // the pool is its own: that of a copy is the original's
	schema      string
	session     string // what its sessions are called, which nobody else's are
	names       *nameCache
	parts       partCache
	left        *left  // of the pool
	where       string // the server and the database, for errors
	pooled      bool   // a pooler such as PgBouncer is between: it keeps no settings of a session
	begun       bool
	readOnly    bool
	log         *slog.Logger
	longView    time.Duration
	longestView time.Duration
	away        *atomic.Bool // the database was not reached the last time
	leases      *leases
	spaces      spaces // how many items there are
	closing     sync.Once
	closed      error
	// unfenced is for the test that shows that it takes the fence.
	unfenced bool
	drop     bool            // Close drops the schema: it is a copy
	moving   encoding.Moving // what is moved into it
	replaced *encoding.Moved // what Begin removes
}

var _ store.Store = (*Store)(nil)

// Open connects to the database, makes the schema when it is not there and brings it up to date. Errors are classified and say
// what to do.
func Open(ctx context.Context, opts Options) (*Store, error) {
	s, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	s.leases = newLeases(s, opts.LeaseFor)
	steps := opts.steps
	if steps == nil {
		steps = migrations()
	}
	if opts.ReadOnly {
		s.readOnly = true
		if err := s.openForReading(ctx, steps); err != nil {
			return nil, err
		}
		return s, nil
	}
	if err := s.leases.line.open(ctx); err != nil { // now, so that a server without room for it says so at the start
		_ = s.Close()
		return nil, s.classify("open state", err)
	}
	if err := s.migrate(ctx, steps); err != nil {
		_ = s.Close() // the reason why it is of no use is the better error
		return nil, err
	}
	s.removeLeftovers(ctx)
	parts, err := s.Partitions(ctx)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	s.begun = len(parts) == 0
	return s, nil
}

// prepare makes a store that is not connected.
func prepare(opts Options) (*Store, error) {
	s := &Store{schema: opts.Schema, log: opts.Log, longView: cmp.Or(opts.longView, longView), longestView: cmp.Or(opts.longestView, longestView), owned: true, away: &atomic.Bool{}, left: &left{}, names: &nameCache{}}
	if s.schema == "" {
		s.schema = DefaultSchema
	}
	if !regexp.MustCompile(`^[a-z_][a-z0-9_]{0,40}$`).MatchString(s.schema) {
		return nil, &fault.Error{Class: fault.Configuration, Op: "open state", Err: fmt.Errorf("%q cannot be the name of the schema", s.schema),
			Hint: "use lower-case letters, digits and underscores"}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.configure(opts); err != nil {
		return nil, err
	}
	return s, nil
}

// configure reads how the database is reached.
func (s *Store) configure(opts Options) error {
	cfg, err := parseURL(opts.URL)
	if err != nil {
		// The error of the driver quotes the text, and with it the password.
		return &fault.Error{Class: fault.Configuration, Op: "open state", Err: errors.New("how the database is reached cannot be read"),
			Hint: "write postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE"}
	}
	c := cfg.ConnConfig
	if opts.Password != "" {
		c.Password = opts.Password
	}
	s.where = "postgresql://" + net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	c.DialFunc, s.lineDial = dialer().DialContext, lineDialer().DialContext
	if opts.Dial != nil {
		c.DialFunc, s.lineDial = opts.Dial, opts.Dial
	}
	if cfg.PingTimeout == 0 {
		cfg.PingTimeout = pingTimeout
	}
	if opts.tracer != nil {
		c.Tracer = opts.tracer
	}
	if cfg.MaxConns = int32(opts.Connections); opts.Connections == 0 {
		cfg.MaxConns = defaultConnections
	}
	id := newID()
	s.session = fmt.Sprintf("dirsyncd %x", id.Bytes)
	c.RuntimeParams["application_name"] = s.session
	cfg.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		s.names.forget()
		c.PgConn().CustomData()[connectedAt] = time.Now()
		return nil
	}
	s.left.lifetime = cfg.MaxConnLifetime
	cfg.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool {
		return p.IdleDuration > trusted || s.left.doubt.Load()
	}
	for name, value := range session() {
		c.RuntimeParams[name] = value
	}
	s.config = cfg
	return nil
}

// parseURL reads a URL, and adds that the server proves who it is.
func parseURL(text string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(text)
	if err != nil || saysTLS(text) {
		return cfg, err
	}
	here := isHere(cfg.ConnConfig.Host)
	for _, other := range cfg.ConnConfig.Fallbacks {
		here = here && isHere(other.Host)
	}
	if here {
		return cfg, nil
	}
	if !strings.Contains(text, "://") {
		return pgxpool.ParseConfig(text + " sslmode=verify-full")
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	q := u.Query()
	q.Set("sslmode", "verify-full")
	u.RawQuery = q.Encode()
	return pgxpool.ParseConfig(u.String())
}

// saysTLS reports whether a URL, or a list of settings, says how the connection is encrypted.
func saysTLS(text string) bool {
	if !strings.Contains(text, "://") {
		return slices.ContainsFunc(strings.Fields(text), func(setting string) bool { return strings.HasPrefix(setting, "sslmode") })
	}
	u, err := url.Parse(text)
	return err == nil && u.Query().Has("sslmode")
}

// isHere reports whether a host is this machine.
func isHere(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1" || strings.HasPrefix(host, "/")
}

// openForReading looks whether there is a state of the version that this program reads.
func (s *Store) openForReading(ctx context.Context, steps []migration) error {
	version, err := s.version(ctx, s.pool)
	latest := len(steps) + 1
	switch {
	case err != nil:
	case version > latest:
		err = s.tooNew(version, latest)
	case version == 0:
		err = &fault.Error{Class: fault.Configuration, Op: "open state", Where: s.place(), Err: ErrNone}
	case version < latest:
		err = &fault.Error{Class: fault.Configuration, Op: "open state", Where: s.place(),
			Err:  fmt.Errorf("%w: it has version %d, this program needs %d", ErrOutdated, version, latest),
			Hint: "start the service, or sync once: the state is brought up to date then"}
	}
	if err != nil {
		_ = s.Close()
	}
	return err
}

// session is what is set for each session: nobody holds a lock for long, and a peer that is gone is found out. Plans are made once: to
// plan for an array of thousands takes longer than to look them up; and they are made when tables are small or nothing is known of them, for those
// that they will be: what is looked up is looked up by an index. What has
// to read a small table in whole all the same looks so dear to the planner (disable_cost) that it would compile it (jit), for longer than all the rest takes.
func session() map[string]string {
	return map[string]string{
		"idle_in_transaction_session_timeout": "60s", "lock_timeout": "5s", "statement_timeout": "120s",
		"client_connection_check_interval": "2s", "tcp_keepalives_idle": "4", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "2",
		"tcp_user_timeout": "8000", "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off", "timezone": "UTC",
	}
}

// connect makes the pool. A pooler refuses settings of a session, or does as if it had made them (ignore_startup_parameters of PgBouncer): then
// each transaction makes those that it needs, and nothing is prepared.
func (s *Store) connect(ctx context.Context) error {
	err := s.dial(ctx)
	var plans, name string
	if err == nil { // text only, as every pooler takes it
		err = s.pool.QueryRow(ctx, `select current_setting('plan_cache_mode'), current_setting('application_name')`, pgx.QueryExecModeSimpleProtocol).Scan(&plans, &name)
		s.pooled = err == nil && plans != session()["plan_cache_mode"]
	}
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "08P01" {
		s.pooled = true
	}
	if s.pooled {
		if err == nil {
			s.pool.Close()
		}
		for name := range session() {
			delete(s.config.ConnConfig.RuntimeParams, name)
		}
		s.config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
		s.config.PingTimeout = 0 // a pooler whose connections are all in use answers when one is free
		if err = s.dial(ctx); err == nil {
			err = s.throughPooler(ctx)
		}
	} else if err == nil && name != s.session {
		s.warnRenamed(name)
	}
	return s.classify("open state", err)
}

// throughPooler finds out whether a pooler is of use.
func (s *Store) throughPooler(ctx context.Context) error {
	var name string
	err := pgx.BeginFunc(ctx, s.pool, func(btx pgx.Tx) error {
		return btx.QueryRow(ctx, `select current_setting('application_name')`).Scan(&name)
	})
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == "08P01" {
		err = &fault.Error{Class: fault.Configuration, Op: "open state", Where: s.where, Err: discreet(err),
			Hint: "the pooler before the database has to keep a connection for a whole transaction: pool_mode=transaction or session, not statement"}
	}
	if err != nil {
		s.pool.Close()
		return err
	}
	if name != s.session {
		s.warnRenamed(name)
	}
	return nil
}

// warnRenamed says what it means that sessions are called otherwise at the server.
func (s *Store) warnRenamed(name string) {
	s.log.Warn("a pooler calls this process' sessions otherwise: others cannot end them when it dies in a transaction, and wait for up to a minute then",
		"sessions", s.session, "called", name, "hint", "let application_name pass: no application_name_add_host, not among ignore_startup_parameters")
}

func (s *Store) dial(ctx context.Context) error {
	pool, err := pgxpool.NewWithConfig(ctx, s.config.Copy())
	if err != nil {
		return err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return err
	}
	s.pool = pool
	return nil
}

// Close ends what the store holds at the database. Further calls return the same result.
func (s *Store) Close() error {
	s.closing.Do(func() {
		if s.drop {
			s.closed = s.dropSchema()
		}
		if s.leases != nil {
			s.leases.close()
		}
		if s.owned {
			s.left.close()
			s.pool.Close()
		}
	})
	return s.closed
}

// Begun reports whether the state was only just begun: Open made the schema, or nothing has been stored in it since.
func (s *Store) Begun() bool { return s.begun }

// in puts the name of the schema into a statement, where it says "@.".
func (s *Store) in(sql string) string { return strings.ReplaceAll(sql, "@.", s.schema+".") }
