# Two commands: `make run` and `make test`. Both install what they need, and are quick when it is there already.
# Everything is built in the release profile, so that the gateway is compiled once for both.

CARGO  ?= cargo
PYTHON ?= /usr/bin/python3
VENV   := target/venv

# Each for so long, in seconds, with inputs of at most so many bytes.
FUZZ_TARGETS := message uri sdp rtp rtcp stun switch
FUZZ_TIME    ?= 3600
FUZZ_BYTES   ?= 4096

# In seconds.
SOAK_TIME ?= 3600

# Of speech, and as many of sound like speech.
TALK_OFF_HOURS ?= 20

# What shows that a package isn't needed, and the package (scripts/install).
BUILD_NEEDS := cc:gcc c++:g++ cmake:cmake
TEST_NEEDS  := sipp:sip-tester baresip:baresip-core linphonec:linphone-cli kamailio:kamailio espeak-ng:espeak-ng \
  ffmpeg:ffmpeg ip:iproute2 nft:nftables :libspandsp-dev $(PYTHON):python3 :python3-venv :python3-dev

# Peers that are measured beside us.
BENCH_NEEDS := rtpengine:rtpengine-daemon kamailio:kamailio taskset:util-linux
BENCHES     ?= relay call_setup registrar switch

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run build test neon bench soak talk-off fuzz check-format lint deny tools tools-build

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build and start the gateway; give it arguments by ARGS="--config my.toml"
	@exec $(CARGO) run --quiet --release --bin tandem -- run $(ARGS)

build: tools-build ## Build the gateway
	@$(CARGO) build --release --bin tandem

test: tools check-format lint ## Run every test, those with real phones included; a part of them by TESTS="name"
	@scripts/say "testing"
	@$(CARGO) test --release --workspace --no-fail-fast $(TESTS)
	@[ -n "$(TESTS)" ] || scripts/neon

neon: tools-build ## Test the kernels of ARM processors, under qemu-user
	@scripts/neon

bench: tools-build ## Measure what packets, calls and contacts cost, beside peers and the floor; some by BENCHES="relay"
	@scripts/install $(BENCH_NEEDS)
	@scripts/say "building for the benches, fully optimised (minutes)"
	@$(CARGO) bench --quiet --no-run $(BENCHES:%=--bench %)
	@for bench in $(BENCHES); do scripts/say "measuring: $$bench" && $(CARGO) bench --quiet --bench $$bench || exit 1; done

soak: tools-build ## Simulate calls for SOAK_TIME seconds (3600), in a new world for each seed; prints any seed that fails
	@TANDEM_SIM_SOAK=$(SOAK_TIME) $(CARGO) test --release --test sim soak -- --ignored --nocapture

talk-off: tools ## Listen for digits in TALK_OFF_HOURS hours (20) of speech and of sound like speech, which have none
	@TANDEM_TALK_OFF_HOURS=$(TALK_OFF_HOURS) TANDEM_REQUIRE_ORACLES=1 \
	  $(CARGO) test --release -p tandem-codecs --lib --test talk_off speech -- --nocapture

fuzz: tools-build ## Run each fuzz target for FUZZ_TIME seconds (3600); some of them by FUZZ_TARGETS="sdp rtp"
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { scripts/say "cargo-fuzz is not installed: cargo install --locked cargo-fuzz"; exit 1; }
	@# Sanitizers are for nightly compilers; where there is none, the stable one is told that it is one.
	@if $(CARGO) +nightly --version >/dev/null 2>&1; then nightly=+nightly; else nightly=; export RUSTC_BOOTSTRAP=1; fi; \
	for target in $(FUZZ_TARGETS); do \
	  scripts/say "fuzzing $$target for $(FUZZ_TIME) s"; \
	  mkdir -p fuzz/found/$$target; \
	  $(CARGO) $$nightly fuzz run $$target fuzz/found/$$target fuzz/corpus/$$target -- -max_total_time=$(FUZZ_TIME) \
	    -max_len=$(FUZZ_BYTES) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	    $$(ls fuzz/dictionaries/$$target.dict 2>/dev/null | sed 's/^/-dict=/') || exit 1; \
	done

check-format: ## Check that the code is formatted
	@if $(CARGO) fmt --version >/dev/null 2>&1; then $(CARGO) fmt --all --check; \
	else scripts/say "rustfmt is not installed (rustup component add rustfmt): formatting is not checked"; fi

lint: tools-build ## Check the code with clippy; a warning is an error
	@if $(CARGO) clippy --version >/dev/null 2>&1; then \
	  scripts/say "linting"; $(CARGO) clippy --release --workspace --all-targets -- -D warnings; \
	else scripts/say "clippy is not installed (rustup component add clippy): the code is not linted"; fi

deny: ## Check the licences and the sources of all dependencies (needs cargo-deny)
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check licenses bans sources; \
	else scripts/say "cargo-deny is not installed: cargo install --locked cargo-deny"; exit 1; fi

tools-build: ## Install what building needs: CMake and a C and C++ compiler
	@scripts/install $(BUILD_NEEDS)

tools: ## Install what the tests need: phones, call generators, audio tools
	@scripts/install $(BUILD_NEEDS) $(TEST_NEEDS)
	@$(MAKE) --no-print-directory $(VENV)/.stamp

$(VENV)/.stamp: scripts/requirements.txt
	@scripts/say "installing the speech quality meter into $(VENV) (half a minute)"
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-input -r scripts/requirements.txt
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-input --no-build-isolation pesq==0.0.4
	@touch $@
