# `make demo` shows what this is, `make test` tests all of it, `make help` lists the rest.

CARGO ?= cargo
DIST := dist
PLUGINS := crypto db http template ws
LIBRARIES := $(patsubst stdlib/%/init.lua,%,$(wildcard stdlib/*/init.lua))
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# Wherever cargo builds, CARGO_TARGET_DIR or a configured folder included.
RELEASE = $(shell $(CARGO) metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release
IMAGE := assay/runtime:$(VERSION)

.PHONY: help dist static demo test bench image rootfs fmt lint asan fuzz clean

help:
	@echo 'make demo     build, publish, install, and run a real job against mock servers'
	@echo 'make test     build everything and run every test'
	@echo 'make dist     the release tree in dist/: bin/, lib/assay/'
	@echo 'make static   dist/bin/assay-static: runtime and plugins in one file'
	@echo 'make image    the container image $(IMAGE), with Docker'
	@echo 'make bench    the table of benches/README.md'
	@echo 'make lint     formatting, clippy and rustdoc, as CI has it; make fmt formats'
	@echo "make asan     the plugin kit's tests under AddressSanitizer"
	@echo 'make fuzz     one fuzz target: TARGET=json TIME=600; tests/fuzz/README.md lists them'
	@echo 'make clean    remove dist/ and what cargo built'

# One cargo call for each piece: together, features that one of them turns on would weigh on all.
# `--crate-type cdylib` alone, since cargo optimises no library across crates that is an rlib as well;
# `strip` once more, since cargo forgets the profile's for a package with an `opt-level` of its own.
dist:
	$(CARGO) build --release --locked -p assay
	$(CARGO) build --release --locked -p assay-registry
	$(foreach plugin,$(PLUGINS),$(CARGO) rustc --release --locked -p assay-$(plugin) --lib --crate-type cdylib -- -C strip=symbols &&) true
	rm -rf $(DIST)/bin/assay $(DIST)/bin/assay-registry $(DIST)/lib
	install -D -t $(DIST)/bin $(RELEASE)/assay $(RELEASE)/assay-registry
	$(foreach plugin,$(PLUGINS),install -D -m 644 $(RELEASE)/libassay_$(plugin).so $(DIST)/lib/assay/plugins/$(plugin)-$(VERSION).so &&) true
	tar -C stdlib --exclude tests -cf - $(LIBRARIES) | tar -C $(DIST)/lib/assay --no-same-owner -xf -

static:
	$(CARGO) build --release --locked -p assay --features static-plugins
	install -D $(RELEASE)/assay $(DIST)/bin/assay-static

demo: dist
	@examples/demo.sh

test: dist static
	@tests/run.sh

bench: dist static
	@benches/run.sh

# What the image holds besides the runtime: the loader and the libraries that it and the plugins
# need, and CA certificates.
rootfs:
	rm -rf $(DIST)/rootfs
	for file in $$(ldd $(DIST)/bin/assay $(DIST)/lib/assay/plugins/*.so | grep -oE '/[^ :]+ \(' | tr -d '(' | sort -u); do \
	  install -D $$file $(DIST)/rootfs$$file || exit 1; \
	done
	install -D -m 644 /etc/ssl/certs/ca-certificates.crt -t $(DIST)/rootfs/etc/ssl/certs
	install -d -m 1777 $(DIST)/rootfs/tmp

image: dist
	@$(MAKE) --no-print-directory rootfs
	docker build --target runtime --tag $(IMAGE) .
	@docker image inspect --format '$(IMAGE): {{.Size}} bytes' $(IMAGE)

fmt:
	$(CARGO) fmt --all

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy -p assay --features static-plugins --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked

# The sanitizer comes with the toolchain, but only behind its bootstrap switch.
asan:
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address LSAN_OPTIONS=suppressions=$(CURDIR)/plugin-api/tests/lsan.supp \
	  $(CARGO) test --locked -p assay-plugin --all-features --tests --target $$(rustc -vV | sed -n 's/host: //p')

# cargo-fuzz wants flags that are stable nowhere, as asan does. Leaks are not looked for: a VM lives as long as the process.
TARGET ?= json
TIME ?= 600
fuzz:
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { echo 'cargo-fuzz is not installed: cargo install cargo-fuzz'; exit 2; }
	mkdir -p tests/fuzz/corpus/$(TARGET)
	RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --fuzz-dir tests/fuzz $(TARGET) tests/fuzz/corpus/$(TARGET) tests/fuzz/seeds/$(TARGET) -- \
	  -max_total_time=$(TIME) -detect_leaks=0 -print_final_stats=1 -timeout=20 -rss_limit_mb=2500

clean:
	rm -rf $(DIST)
	$(CARGO) clean
