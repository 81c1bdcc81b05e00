#!/bin/sh
# Runs the job twice against the mocks, and checks that the first run makes everything, the second
# nothing, and that the mocks saw exactly the calls that they expect.
#
#   ASSAY          the assay binary (default: assay)
#   ASSAY_LIB_PATH where the job finds its libraries and plugins, as installed
#   MOCK_LIB_PATH  where the mock finds assay.testing besides (default: the project's stdlib)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
assay=${ASSAY:-assay}
mock_libraries=${MOCK_LIB_PATH:-$here/../../../stdlib}
folder=$(mktemp -d)
mock=

finish() {
  if [ -n "$mock" ]; then
    kill "$mock" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap finish EXIT

fail() {
  echo "demo: $1" >&2
  if [ -s "$folder/mock.log" ]; then
    echo "--- mock" >&2
    cat "$folder/mock.log" >&2
  fi
  exit 1
}

echo "demo: starting a mock Kubernetes API server and a mock OpenBao"
ASSAY_LIB_PATH="$mock_libraries${ASSAY_LIB_PATH:+:$ASSAY_LIB_PATH}" \
  "$assay" "$here/mock.lua" "$folder" >"$folder/mock.log" 2>&1 &
mock=$!
tries=0
until [ -e "$folder/addresses" ]; do
  kill -0 "$mock" 2>/dev/null || { mock=; fail "the mock did not start"; }
  tries=$((tries + 1))
  [ "$tries" -lt 200 ] || fail "the mock does not listen after 10 seconds"
  sleep 0.05
done

job() {
  # The addresses file sets KUBERNETES_API_URL and OPENBAO_ADDR.
  (
    set -a
    . "$folder/addresses"
    KUBERNETES_TOKEN_FILE="$folder/token"
    OPENBAO_TIMEOUT=20
    exec "$assay" "$here/../bootstrap.lua"
  ) >"$folder/job.log" 2>&1 || { cat "$folder/job.log"; fail "the job failed"; }
  cat "$folder/job.log"
}

expect() {
  grep -q "$1" "$folder/job.log" || fail "the job did not say: $1"
}

echo "demo: first run"
job
expect "policy shop: created"
expect "credentials secrets/shop/database: generated"
expect "verified: shop can be deployed"

echo "demo: second run"
job
expect "policy shop: unchanged"
expect "credentials secrets/shop/database: kept"
expect "verified: shop can be deployed"

kill -TERM "$mock"
code=0
wait "$mock" 2>/dev/null || code=$?
mock=
[ "$code" -eq 143 ] || fail "the mock ended with exit code $code after SIGTERM, expected 143"
[ "$(cat "$folder/verdict")" = ok ] || fail "the mock is not content:
$(cat "$folder/verdict")"
echo "demo: ok: the mocks saw exactly the calls that they expect"
