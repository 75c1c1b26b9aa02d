# syntax=docker/dockerfile:1
#
#   docker build --build-arg VERSION=$(git describe --tags --always) -t dirsyncd .
#   docker run -v /srv/dirsyncd/etc:/etc/dirsyncd:ro -v dirsyncd-state:/var/lib/dirsyncd dirsyncd

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN mkdir -p -m 0700 /out/state
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -tags timetzdata -ldflags "-s -w -X main.version=$VERSION" -o /out/dirsyncd ./cmd/dirsyncd

# Certificates of the public authorities, a passwd file with the user `nonroot`, and nothing that can be run.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/dirsyncd /usr/bin/dirsyncd
COPY --from=build --chown=65532:65532 /out/state /var/lib/dirsyncd
# By number, so that an orchestrator can see that it is not root.
USER 65532:65532
WORKDIR /var/lib/dirsyncd
VOLUME /var/lib/dirsyncd
# No HEALTHCHECK: `dirsyncd status` tells of held plans and failing sources, which a restart does not mend. Let
# the orchestrator ask /healthz where `listen` is configured.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/dirsyncd"]
CMD ["run", "--config", "/etc/dirsyncd/config.yaml"]
