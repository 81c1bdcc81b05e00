#!/bin/sh
# `make demo`: the whole path, from published packages to a finished job. Needs `make dist` before.
#
#   DIST    the release tree (default: dist/ of the project)
#   SOURCE  where packages are published to and installed from (default: a folder, oci:DIST/oci)
set -eu

project=$(cd "$(dirname "$0")/.." && pwd)
dist=${DIST:-$project/dist}
source=${SOURCE:-oci:$dist/oci}
[ -x "$dist/bin/assay" ] || { echo "demo: $dist/bin/assay is missing: run make dist" >&2; exit 2; }
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
# From nothing, and nothing is left behind: none of the caller's settings, and a core without the
# libraries and plugins that lie beside it in the release tree.
unset ASSAY_LIB_PATH ASSAY_LOG ASSAY_LOG_FORMAT
export ASSAY_CACHE="$here/cache" ASSAY_REGISTRY="$source" XDG_DATA_HOME="$here/data"
mkdir "$here/bin"
cp "$dist/bin/assay" "$dist/bin/assay-registry" "$here/bin"
PATH=$here/bin:$PATH

say() {
  printf '\n\033[1m== %s\033[0m\n\n' "$1" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi
}

run() {
  echo "\$ $*"
  "$@"
}

say "1. Publish: each library and each plugin becomes an OCI image"
[ "$source" != "oci:$dist/oci" ] || rm -rf "$dist/oci"
cd "$project"
run assay publish --manifest stdlib/manifest.yaml --to "$source"
run assay publish --manifest plugins/manifest.yaml --to "$source"

say "2. Install: a job names two libraries; what they need comes with them"
cp -R "$project/examples/openbao-bootstrap" "$here/job"
cd "$here/job"
rm -rf .assay assay.lock
run assay install vault k8s
run assay list
run assay verify

say "3. What is there now: a core of $(wc -c <"$here/bin/assay") bytes, and plugins that it opens on first use"
run assay plugins

say "4. The job: token from a Kubernetes secret, log in to OpenBao, policy, credentials, check"
ASSAY="$here/bin/assay" ASSAY_LIB_PATH="$here/job/.assay" MOCK_LIB_PATH="$project/stdlib" ./demo/run.sh

say "That was all of it. The job is examples/openbao-bootstrap/bootstrap.lua; its README says how to run it in a cluster"
