package oktasim

import (
	"strconv"
	"strings"
	"time"
)

// window is how long a quota lasts, from the first call on.
const window = time.Minute

// bucketOf names the quota that a path counts towards: the path with {id} for ids, and for what is below an
// object the same as for the object.
func bucketOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) < 4 || parts[0] != "api" {
		return path
	}
	return "/" + strings.Join(parts[:3], "/") + "/{id}"
}

// quotas are the org's rate limits.
type quotas struct {
	limits  map[string]int
	share   int
	buckets map[string]*quota
	refused map[string]int
}

type quota struct {
	limit, used int
	by          map[string]int
	began       time.Time
}

func newQuotas(o Options) quotas {
	limits := map[string]int{
		"/api/v1/users": 600, "/api/v1/users/{id}": 1000, "/api/v1/groups": 600, "/api/v1/groups/{id}": 600,
		"/api/v1/apps": 100, "/api/v1/apps/{id}": 600, "/api/v1/logs": 120,
	}
	for name, n := range o.Limits {
		limits[name] = n
	}
	return quotas{limits: limits, share: o.TokenShare, buckets: map[string]*quota{}, refused: map[string]int{}}
}

func (q *quotas) bucket(name string, now time.Time) *quota {
	b := q.buckets[name]
	if b == nil {
		b = &quota{limit: q.limits[name]}
		if b.limit == 0 {
			b.limit = 1200
		}
		q.buckets[name] = b
	}
	if b.began.IsZero() || !now.Before(b.began.Add(window)) {
		b.used, b.by, b.began = 0, map[string]int{}, now
	}
	return b
}

// spend takes one request from a bucket, and reports whether there was one.
func (q *quotas) spend(name, client string, now time.Time) bool {
	b := q.bucket(name, now)
	if b.used >= b.limit || q.share > 0 && b.by[client] >= b.limit*q.share/100 {
		q.refused[client]++
		return false
	}
	b.used++
	b.by[client]++
	return true
}

// take spends one request and writes the headers.
func (q *quotas) take(a *reply, name, client string, now time.Time) bool {
	ok := q.spend(name, client, now)
	b := q.bucket(name, now)
	a.header.Set("X-Rate-Limit-Limit", strconv.Itoa(b.limit))
	a.header.Set("X-Rate-Limit-Remaining", strconv.Itoa(b.limit-b.used))
	// Whole seconds, rounded up: nobody who waits for it comes too early.
	a.header.Set("X-Rate-Limit-Reset", strconv.FormatInt(b.began.Add(window+time.Second-1).Unix(), 10))
	return ok
}

// Rival makes n requests in a bucket as another client of the org, and returns how many were refused.
func (s *Server) Rival(bucket string, n int) (refused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		if !s.quota.spend(bucket, "rival", s.now()) {
			refused++
		}
	}
	return refused
}

// Refused returns how many requests of clients other than the rival were refused for their number.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for client, count := range s.quota.refused {
		if client != "rival" {
			n += count
		}
	}
	return n
}

// Window returns when a bucket's present window began; false when none has.
func (s *Server) Window(bucket string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.quota.buckets[bucket]
	if b == nil || b.began.IsZero() || !s.now().Before(b.began.Add(window)) {
		return time.Time{}, false
	}
	return b.began, true
}
