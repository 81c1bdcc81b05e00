# The runtime's image, from what `make image` builds and stages: glibc's loader and the libraries that
# the runtime and the plugins need, CA certificates, and the core. No shell, no package manager.
#
#     make image
#     docker run --rm -v "$PWD:/job:ro" assay/runtime:0.1.0 /job/job.lua
#
# Product images add packages: `COPY --from=<package image> /lib/assay /lib/assay`.
FROM scratch AS runtime
COPY dist/rootfs/ /
COPY dist/bin/assay /bin/assay
USER 65532:65532
ENTRYPOINT ["/bin/assay"]
