GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LINT    ?= golangci-lint
# How long each fuzz target runs.
FUZZTIME ?= 5s
# The build that `make bench` measures beside this one: the one before the work on speed.
BEFORE  ?= 8fb60dc
# Where random changes of `make soak` begin: another one every time, and the one that failed to repeat a failure.
ifndef SEED
SEED := $(shell date +%s)
endif
# Further arguments of `go test`, such as -v or -json.
TESTFLAGS ?=
# One set of flags for all, so that nothing is compiled twice. The race detector alone wants C.
export GOFLAGS := $(filter-out -trimpath,$(GOFLAGS)) -trimpath
export CGO_ENABLED := 0

BUILD = $(GO) build -ldflags "-s -w -X main.version=$(VERSION)"

.PHONY: help build test fast lint fmt bench bench-million bench-against bench-tenants merge-order fuzz soak soak-workers desks demo sdk licences release clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## a static binary in bin/
	$(BUILD) -o bin/dirsyncd ./cmd/dirsyncd

test: ## all tests, with the race detector, in random order
	CGO_ENABLED=1 $(GO) test -race -shuffle=on -timeout 60m $(TESTFLAGS) ./...

fast: ## all tests, without the race detector
	$(GO) test $(TESTFLAGS) ./...

lint: ## vet, formatting, the rules of .golangci.yml
	$(GO) vet ./...
	$(LINT) run ./...

fmt: ## format everything
	$(LINT) fmt ./...

bench: ## the benchmark of docs/benchmarks.md
	./.ci/bench-against $(BEFORE)
	$(GO) run ./cmd/bench -parts merged,requests
	$(GO) test -run '^$$' -bench 'Decode$$|DecodeUsers$$' -cpu 1 ./connectors/entra ./connectors/google ./connectors/okta
	$(GO) test -run '^$$' -bench "HalfAMillion|People" -benchtime 1x ./connectors/entra ./connectors/google ./connectors/okta
	$(GO) test -run '^$$' -bench LDAP -benchtime 5x ./cmd/bench
	$(GO) test -run '^$$' -bench Incremental -benchtime 3x ./connectors/ldap
	$(GO) test -run '^$$' -bench 'SignIn|Verify' -cpu 1 -benchtime 3s ./sync/service
	$(GO) run ./cmd/bench -parts postgres
	$(MAKE) --no-print-directory build
	$(GO) run ./cmd/bench -parts connections

bench-million: ## the same with a million people, in three minutes
	$(GO) run ./cmd/bench -people 1000000 -changed 1000

bench-against: ## people, with this build and with that of another commit in turn: make bench-against REV=v1.0.0
	./.ci/bench-against $(REV)

merge-order: ## 100,000 people in each of three sources, read in orders that differ: the same merged people, in some minutes
	DIRSYNCD_MERGE_PEOPLE=100000 $(GO) test -count=1 -timeout 1h -run 'TestMergeOfThousands' ./sync/service

bench-tenants: ## a thousand tenants, some of which hang, in ten minutes
	$(GO) run ./cmd/bench -parts tenants

fuzz: ## every fuzz target for FUZZTIME
	./.ci/fuzz $(FUZZTIME)

soak: ## random changes, faults and kills that nobody tried before; SEED=N repeats those of a failure
	@echo "seed $(SEED)"
	DIRSYNCD_SEED=$(SEED) DIRSYNCD_POINTS=10000 $(GO) test -count=1 -shuffle=$(SEED) -timeout 1h $(TESTFLAGS) \
		-run 'Random|Incremental|KilledAnywhere|KilledAtAnyMoment|ThreeWeeks|DomainController' ./connectors/... ./cmd/dirsyncd/proof ./cmd/dirsyncd/e2e || \
		{ echo "repeat with: make soak SEED=$(SEED)"; exit 1; }

soak-workers: ## an hour each of workers on PostgreSQL that are killed, frozen and cut off, alone and as daemons among faulty sources and a faulty desk; SEED=N repeats
	@echo "seed $(SEED)"
	DIRSYNCD_WORKERS=1h $(GO) test -count=1 -v $(TESTFLAGS) -run Speed ./sync/fleet/postgres
	DIRSYNCD_SEED=$(SEED) DIRSYNCD_WORKERS=$(or $(WORKERS),1h) $(GO) test -p 1 -count=1 -v -timeout 3h $(TESTFLAGS) -run 'Tortur|Ticks|Zombie' ./cmd/dirsyncd/e2e ./sync/fleet/postgres || \
		{ echo "repeat with: make soak-workers SEED=$(SEED)"; exit 1; }

desks: ## a company of 500 at a real Request Tracker and a real Redmine, killed 200 times at each; takes half an hour
	DIRSYNCD_DESKS=full $(GO) test -count=1 -timeout 3h $(TESTFLAGS) -run 'CompanyAtRe' ./cmd/dirsyncd/e2e

demo: ## the five-minute tour
	$(GO) run ./cmd/dirsyncd demo

sdk: ## tests that hold entra against Microsoft's SDK, which takes minutes to compile
	$(GO) vet -tags sdk ./connectors/entra
	$(GO) test -tags sdk -run SDK ./connectors/entra $(TESTFLAGS)

licences: ## renew docs/licences.md
	./packaging/licences >docs/licences.md.new && mv docs/licences.md.new docs/licences.md

release: ## archives, Debian packages, contents and checksums in dist/
	./packaging/release $(VERSION)

clean: ## remove what the others made
	rm -rf bin dist coverage.txt
