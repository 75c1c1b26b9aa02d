# docker build --build-arg VERSION=$(git describe --tags --always) -t dirsyncd .
# docker run -v /srv/dirsyncd/etc:/etc/dirsyncd:ro -v dirsyncd-state:/var/lib/dirsyncd dirsyncd
#
# Nothing of the image below is in the result but the certificates of the public authorities. Who builds for others pins
# it: --build-arg GO=golang@sha256:… (`docker buildx imagetools inspect golang:1.26-bookworm` shows the digest).
ARG GO=golang:1.26-bookworm

FROM --platform=$BUILDPLATFORM $GO AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN mkdir -p /out/etc/ssl/certs && install -d -m 1777 /out/tmp && install -d -m 0700 /state && \
    cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ && \
    echo 'dirsyncd:x:65532:65532::/var/lib/dirsyncd:/sbin/nologin' >/out/etc/passwd && \
    echo 'dirsyncd:x:65532:' >/out/etc/group
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/usr/bin/dirsyncd ./cmd/dirsyncd

# No shell, no library, nothing that can be run but the program.
FROM scratch
COPY --from=build /out /
COPY --from=build --chown=65532:65532 /state /var/lib/dirsyncd
# By number, so that an orchestrator can see that it is not root.
USER 65532:65532
WORKDIR /var/lib/dirsyncd
VOLUME /var/lib/dirsyncd
# No HEALTHCHECK: `dirsyncd status` tells of held plans and failing sources, which a restart does not mend. Let
# the orchestrator ask /healthz where `listen` is configured.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/dirsyncd"]
CMD ["run", "--config", "/etc/dirsyncd/config.yaml"]
