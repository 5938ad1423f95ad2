# Shortcuts; .ci/run is what counts.

.PHONY: build test lint ci

build: # ./tarn
	CGO_ENABLED=0 go build -trimpath -o tarn ./cmd/tarn

test:
	go test ./...

lint:
	test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run ./...; else echo "golangci-lint is not installed: skipped"; fi

ci:
	.ci/run
