# make alone lists the targets. Go is enough for all of them; the linters come
# from tools/go.mod and are built once.

FUZZTIME ?= 30s
ROUNDS   ?= 50
SEEDS    ?= 100
FIRST    ?= 1
BENCH    ?= .
COUNT    ?= 6
PKG      ?= ./...
TOOL     := go tool -modfile=tools/go.mod

.DEFAULT_GOAL := help
.PHONY: help check fmt vet lint shape generated test race fuzz golden
.PHONY: bench duckdb peers cover crash sim s3 doc run generate proto

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

check: fmt vet lint shape generated test ## all that a change must pass

fmt:
	@files=$$(gofmt -l .); test -z "$$files" || \
	  { echo "run gofmt -w on:"; echo "$$files"; exit 1; }

vet:
	go vet ./...

lint: ## errcheck, ineffassign, staticcheck, unconvert, usetesting
	tools/lint

shape: ## rooms, style and pages: what imports, carries, says what
	go test .

generated:
	tools/generated

test: ## go test ./...
	go test ./...

race: ## the same under the race detector
	go test -race ./...

fuzz: ## each fuzz target for FUZZTIME=30s
	FUZZTIME=$(FUZZTIME) tools/fuzz $(FUZZ)

golden: ## rewrite recorded output; commit what you can explain
	tools/golden

bench: ## benchmarks of PKG=./...; OLD=file compares with a former run
	go test -run '^$$' -bench '$(BENCH)' -count $(COUNT) $(PKG) \
	  | tee bench.out
	$(TOOL) benchstat $(OLD) bench.out

duckdb: ## joins, files and SQL beside DuckDB; needs a C compiler, fetches it
	cd tools/duckdb && go run . check && go run . training -first $(FIRST)

peers: ## writes and reads beside Redis and MariaDB; fetches both
	benchmarks/peers/run -json peers.out

cover: ## coverage by package, and cover.html
	go test -coverprofile=cover.out ./...
	go tool cover -html=cover.out -o cover.html

crash: ## kill -9 during writes, ROUNDS=50 times; count what survived
	go test -run Kill -count=1 -timeout 60m \
	  $$(grep -rl --include='*_test.go' '"kill.rounds"' . \
	    | xargs -n1 dirname | sort -u) -kill.rounds=$(ROUNDS)

sim: SHELL := bash
sim: .SHELLFLAGS := -o pipefail -c
sim: ## SEEDS=100 random scenarios from seed FIRST=1, then planted faults
	go test ./simulation -run 'Test(Leaderless|Leader)?Seeds$$' -count=1 -timeout 24h \
	  -sim.seeds=$(SEEDS) -sim.first=$(FIRST)
	@echo "$(SEEDS) random scenarios from seed $(FIRST): no promise was broken"
	go test ./simulation -run PlantedFaults -count=1 -v -timeout 24h -sim.faults \
	  | grep '^ *--- \|found by\|did not show\|^FAIL\|^ok'

s3: ## tests of buckets against a real S3 server; builds it first
	tools/s3/run

doc: ## the packages' documentation in a browser
	go doc -http

run: ## a store with sample data on 127.0.0.1:8080
	go run ./cmd/featurestore dev

generate: ## rewrite generated code and pages
	go generate ./...

proto: ## rewrite the code of .proto files; needs protoc
	tools/proto
