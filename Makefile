# Two targets do all set-up on a fresh machine with Go: make run, make test.
# make help lists the others.

VERSION ?= $(shell git describe --tags --always 2>/dev/null || echo 0.1.0-dev)
COMMIT  ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X constat/internal/version.Version=$(VERSION) -X constat/internal/version.Commit=$(COMMIT)
TAGS    := grpcnotrace
# What an agent asks by HTTP is small; gRPC has its own HTTP/2.
AGENT_TAGS := $(TAGS),nethttpomithttp2
TOOL    := go tool -modfile=.tools/go.mod

# gousb needs cgo and libusb; where they are not, the native readers do it all.
LIBUSB  := $(shell command -v gcc >/dev/null && pkg-config --exists libusb-1.0 2>/dev/null && echo libusb)
PLATFORMS := linux/amd64 linux/arm64 windows/amd64 windows/arm64 darwin/amd64 darwin/arm64

.PHONY: help build run demo test lint bench lab lab-report dist cross generate clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

build: ## build constat-agent, constat-tray and constat-collector into bin/
	@mkdir -p bin
	CGO_ENABLED=$(if $(LIBUSB),1,0) go build -trimpath -tags "$(AGENT_TAGS),$(LIBUSB)" -ldflags "$(LDFLAGS)" -o bin/constat-agent ./agent
	CGO_ENABLED=0 go build -trimpath -tags "$(AGENT_TAGS)" -ldflags "$(LDFLAGS)" -o bin/constat-tray ./agent/tray/program
	CGO_ENABLED=0 go build -trimpath -tags "$(TAGS)" -ldflags "$(LDFLAGS)" -o bin/constat-collector ./collector

run: build ## diagnose this machine and open a ticket with the result (ONCE=1: then stop)
	bin/constat-collector quickstart --data .constat --agent bin/constat-agent $(if $(ONCE),--once)

demo: build ## serve a made-up desk of two years (TICKETS=5000; data in .constat-demo)
	bin/constat-collector demo --tickets $(or $(TICKETS),5000)

test: ## install what the tests need (as root) and run them all
	.ci/test

lint: ## formatting, vet, staticcheck, schema, generated files, builds for every system
	.ci/lint

bench: ## all benchmarks; beside others where they are: apt-get install fusioninventory-agent lshw snmp prometheus-snmp-exporter
	go test -tags "$(TAGS)" -run '^$$' -bench . -benchmem -timeout 1h ./...

lab: ## inject real faults and show how they are named (FAULT=id: only that one; SEED=words: other worlds)
	FAULT="$(FAULT)" SEED="$(SEED)" .ci/lab

lab-report: ## the same with a seed nobody tuned with, the commit's hash, and write docs/lab.md and docs/facts.md
	SEED=$$(git rev-parse HEAD) CONSTAT_LAB_REPORT="$(CURDIR)/docs/lab.md" .ci/lab

dist: ## packages for Linux, Windows and macOS, with bill of materials, licences and checksums, into dist/ (same commit, same bytes)
	.ci/dist

cross: ## build for every system without cgo; an agent must stay below 20 MiB
	@out=$$(mktemp -d); trap 'rm -r "$$out"' EXIT; for p in $(PLATFORMS); do \
	  echo "build $$p"; \
	  export GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0; \
	  go build -tags "$(AGENT_TAGS)" -ldflags "-s -w" -o "$$out/agent" ./agent || exit 1; \
	  go build -tags "$(AGENT_TAGS)" -o /dev/null ./agent/tray/program || exit 1; \
	  go build -tags "$(TAGS)" -o /dev/null ./collector || exit 1; \
	  size=$$(wc -c <"$$out/agent"); \
	  [ "$$size" -le 20971520 ] || { echo "the agent for $$p has $$size bytes, more than 20 MiB" >&2; exit 1; }; \
	done

generate: ## write generated code anew
	.ci/generate

clean: ## remove what was built; data in .constat stay
	rm -rf bin dist
