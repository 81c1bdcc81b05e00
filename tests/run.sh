#!/usr/bin/env bash
# `make test`, after `make dist static`: installs what the tests need, runs every suite, adds up.
# The last line is `N passed, N failed`.
set -u
cd "$(dirname "$0")/.."

declare -A why=(
  [docker-registry]="registry/tests, and whatever else wants a registry over HTTP"
  [skopeo]="whatever reads published packages with it"
  [prometheus]="checks of type prometheus against a real one"
  [postgresql]="plugins/db against PostgreSQL"
  [mariadb-server]="plugins/db against MariaDB"
  [curl]="http.serve asked by another client"
  [nginx]="the http client asks it"
  [tinyproxy]="the http client goes through it"
  [openssl]="ws against servers with certificates"
)
# By the package's name, which is mostly the program's too.
present() {
  case $1 in
    postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ;;
    mariadb-server) [ -x /usr/sbin/mariadbd ] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}
missing=()
for program in "${!why[@]}"; do
  present "$program" || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "tests: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq </dev/null
  # The package of a server would start it. The tests start their own.
  policy=/usr/sbin/policy-rc.d
  if [ -e $policy ]; then policy=; else printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy; fi
  # Not to stay behind when this is interrupted.
  [ -z "$policy" ] || trap 'rm -f "$policy"' EXIT
  for program in "${missing[@]}"; do
    apt-get install -qq -y --no-install-recommends "$program" </dev/null || continue
    systemctl disable "${program/mariadb-server/mariadb}" >/dev/null 2>&1
  done
  [ -z "$policy" ] || rm -f "$policy"
fi

not_run=()
for program in "${!why[@]}"; do
  present "$program" ||
    not_run+=("$program is missing (apt-get install $program): ${why[$program]}")
done

# Clients and readers that others wrote, and Jinja2 itself, from PyPI.
target=$(cargo metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
export ASSAY_TEST_PYTHON="$target/test-python/bin/python"
packages=(websockets jinja2 jsonschema pyyaml)
complete="$target/test-python/${packages[*]}"
if [ ! -e "$complete" ]; then
  echo "tests: installing ${packages[*]} from PyPI"
  if { python3 -m venv "$target/test-python" ||
    { [ "$(id -u)" = 0 ] && apt-get install -qq -y --no-install-recommends python3-venv </dev/null &&
      python3 -m venv "$target/test-python"; }; } &&
    "$ASSAY_TEST_PYTHON" -m pip install -q --disable-pip-version-check "${packages[@]}"; then
    touch "$complete"
  fi
fi

# Lua libraries of others and their tests, as Debian has their sources: they must run unchanged.
export ASSAY_TEST_LUA="$target/test-lua"
lua_sources() {
  local name sum
  while read -r name sum; do
    curl -fsSL --retry 2 -o "$name" "https://deb.debian.org/debian/pool/main/l/${name%%_*}/$name" &&
      echo "$sum  $name" | sha256sum --quiet --check && tar -xzf "$name" || return
  done <<'END'
lua-inspect_3.1.1.orig.tar.gz 0292f4960ef0ccb2c7334911981b280f9016c57a29c90c5ff5d3823621f6e0db
lua-say_1.4.1.orig.tar.gz ce07547ca49ef42cc799e2a30b3c65ce77039978e32e7961799a252d61a56486
lua-luassert_1.9.0.orig.tar.gz 1db0fabf1bd87392860375b89a8a37d17b687325c988be0df8c42e7e96e7ed73
END
  # Where their rockspecs would install them.
  ln -s luassert-1.9.0/src luassert && ln -s say-1.4.1/src/say say && touch complete
}
if [ ! -e "$ASSAY_TEST_LUA/complete" ]; then
  echo "tests: downloading inspect, say and luassert from Debian"
  rm -rf "$ASSAY_TEST_LUA"
  mkdir -p "$ASSAY_TEST_LUA" && (cd "$ASSAY_TEST_LUA" && lua_sources)
fi

# The checker of LuaCATS types. Built without optimisation: it takes 4 minutes of CPU time to build so, and
# a few seconds to run.
export ASSAY_TEST_EMMYLUA_CHECK="$target/test-emmylua/bin/emmylua_check"
version=0.25.1
if [ "$("$ASSAY_TEST_EMMYLUA_CHECK" --version 2>/dev/null)" != "emmylua_check $version" ]; then
  echo "tests: installing emmylua_check from crates.io"
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$target/test-emmylua/build" cargo install --quiet --locked --force \
    --profile dev --root "$target/test-emmylua" "emmylua_check@$version" </dev/null
  rm -rf "$target/test-emmylua/build"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed_suites=0
suite() {
  echo
  echo "== $*"
  # The closing line is the last one's alone: `assay test` has one of its own.
  "$@" </dev/null 2>&1 | sed -u 's/^[0-9]* passed, [0-9]* failed/assay test: &/' | tee "$log.one"
  local code=${PIPESTATUS[0]}
  cat "$log.one" >>"$log"
  # A suite that fails without naming a test (it does not compile, it crashed) counts as one.
  if [ "$code" -ne 0 ] && ! grep -qE '^test result: FAILED|^assay test: ' "$log.one"; then
    failed_suites=$((failed_suites + 1))
    echo "== failed with exit code $code: $*"
  fi
  rm -f "$log.one"
}

crates=(--workspace)
if ! command -v docker-registry >/dev/null; then
  crates+=(--exclude assay-registry)
  suite cargo test --locked --no-fail-fast -p assay-registry --lib --bins
fi
suite cargo test --locked --no-fail-fast "${crates[@]}"
# On its own: what guards the layouts is no part of anybody's build.
suite cargo test --locked -p assay-plugin --features guard --test api layout::
for runtime in assay assay-static; do
  suite env ASSAY_LIB_PATH="$PWD/stdlib:$PWD/dist/lib/assay" "dist/bin/$runtime" test stdlib
done

# What did not run says why: `test NAME ... ignored (REASON)`.
while read -r line; do not_run+=("$line"); done < <(sed -n 's/^test \([^ ]*\) *\.\.\. ignored[ ,]*/\1: /p' "$log")
echo
for line in "${not_run[@]}"; do
  echo "did not run: $line"
done
read -r passed failed < <(awk -v failed="$failed_suites" '
  /^test result:/ { for (i = 1; i <= NF; i++) { if ($i == "passed;") passed += $(i-1); if ($i == "failed;") failed += $(i-1) } }
  /^assay test:/ { passed += $3; failed += $5 }
  END { print passed + 0, failed + 0 }' "$log")
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
