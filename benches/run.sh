#!/bin/sh
# Builds what is measured and prints the table. `make bench` calls it; `make dist static` comes first.
# `benches/run.sh serve` prints the rows about `http.serve` alone, `checks`, `db` and `json` theirs.
set -eu
cd "$(dirname "$0")/.."
export DEBIAN_FRONTEND=noninteractive
# want PROGRAM PACKAGE...: where it is missing, and can be had.
want() {
    program=$1
    shift
    if ! [ -e "$program" ] && ! command -v "$program" >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "benches: installing $*" >&2
        apt-get update -qq >&2 && apt-get install -qq -y --no-install-recommends "$@" >&2 </dev/null || true
    fi
}
for tool in valgrind wrk lua5.4; do
    want "$tool" "$tool"
    command -v "$tool" >/dev/null || { echo "benches need $tool: apt-get install valgrind wrk lua5.4" >&2; exit 2; }
done
target=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
# The other servers. Without one, its rows say so.
want /usr/lib/nginx/modules/ngx_http_lua_module.so nginx-light libnginx-mod-http-lua lua-cjson
want node nodejs
want /usr/lib/python3/dist-packages/psycopg2 python3-psycopg2
want /usr/share/doc/lua-cjson lua-cjson
for module in 'lua5.4 -e require("cjson")' 'node --version'; do
    $module >/dev/null 2>&1 || { echo "benches need lua-cjson and node: apt-get install lua-cjson nodejs" >&2; exit 2; }
done
export DENO="$target/bench-python/bin/deno"
if ! [ -x "$DENO" ]; then
    { python3 -m venv "$target/bench-python" && "$target/bench-python/bin/pip" install -q deno; } >&2 || DENO=deno
fi
cargo build --quiet --release --manifest-path benches/axum/Cargo.toml --target-dir "$target/bench-axum" --locked >&2 &&
    install -D -t dist/bench "$target/bench-axum/release/assay-bench-axum" || true
# Speed is what is compared here, so both sides of a call are built for it.
cargo build --quiet --profile bench -p assay-bench -p assay-bench-plugin
mkdir -p dist/bench/plugins
cp "$target/release/libassay_bench_plugin.so" "dist/bench/plugins/bench-$(cargo pkgid -p assay-bench-plugin | sed 's/.*#//; s/.*@//').so"
exec "$target/release/assay-bench" "$@" dist
