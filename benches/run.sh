#!/bin/sh
# Builds what is measured and prints the table. `make bench` calls it; `make dist static` comes first.
set -eu
cd "$(dirname "$0")/.."
for tool in valgrind wrk lua5.4; do
    command -v "$tool" >/dev/null || { echo "benches need $tool: apt-get install valgrind wrk lua5.4" >&2; exit 2; }
done
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
# Speed is what is compared here, so both sides of a call are built for it.
cargo build --quiet --profile bench -p assay-bench -p assay-bench-plugin
mkdir -p dist/bench/plugins
cp "$target/release/libassay_bench_plugin.so" "dist/bench/plugins/bench-$(cargo pkgid -p assay-bench-plugin | sed 's/.*#//; s/.*@//').so"
exec "$target/release/assay-bench" dist
