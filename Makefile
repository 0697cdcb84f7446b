# gardener-extension-provider-packet. `make help` lists the targets.
# Plain make: sources are found by folder, objects and dependency files live in $(B), nothing is generated in the tree.
#
#   <role>/core/*.c      lib<role>-core.a    what the role decides: no sockets, no clock (docs/architecture.md)
#   <role>/*.c           the program         its shell; main.c is its life in order
#   tests/unit/*.c       one cmocka program each, named test_<role>_<what>
#   tests/fuzz/*.c       one libFuzzer target each
#   tests/sim/*/         the simulators, laid out like roles

SHELL   := /bin/bash
VERSION := $(shell cat VERSION)
JOBS    ?= $(shell nproc)
VERIFY  ?= false

# ---- what to build with: CC=gcc|clang, SAN=1 (ASan+UBSan), FUZZ=1 (coverage for libFuzzer; set by `make fuzz`),
# LEAN=1 (what the image ships; set by `make lean`); ARCH=arm64 for lean and image -----------------------------------------
ifeq ($(origin CC),default)
CC := gcc
endif
SAN  ?= 0
FUZZ ?= 0
LEAN ?= 0
ARCH := amd64
ifeq ($(filter amd64 arm64,$(ARCH)),)
$(error ARCH is amd64 or arm64)
endif
# Where lean programs and image of that machine stand, and what to build them with.
SUFFIX    := $(if $(filter arm64,$(ARCH)),-arm64)
LEAN_B    := build/lean$(SUFFIX)
IMAGE     := build/image$(SUFFIX)
CROSS     := $(if $(filter arm64,$(ARCH)),aarch64-linux-gnu-)
SYSROOT   := $(if $(CROSS),$(LEAN_B)/sysroot)
LEAN_MAKE  = $(MAKE) --no-print-directory LEAN=1 CC=$(if $(CROSS),$(CURDIR)/$(SYSROOT)/bin/$(CROSS))gcc B=$(LEAN_B)
ifeq ($(LEAN),1)
CONFIG := lean
else ifeq ($(FUZZ),1)
CONFIG := fuzz
else ifeq ($(SAN),1)
CONFIG := san
else ifeq ($(CC),gcc)
CONFIG := debian
else
CONFIG := $(notdir $(CC))
endif
B ?= build/$(CONFIG)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Wundef \
            -Wpointer-arith -Wwrite-strings -Wconversion -Wno-sign-conversion -Wnull-dereference
WERROR   ?=
OPTIMISE := -O2 -g
HARDEN   := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LDHARDEN := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
ifeq ($(SAN),1)
OPTIMISE := -O1 -g -fno-omit-frame-pointer
HARDEN   := -fsanitize=address,undefined -fno-sanitize-recover=all -DSANITIZED=1
LDHARDEN := -fsanitize=address,undefined -Wl,--as-needed
endif
ifeq ($(FUZZ),1)
HARDEN   += -fsanitize=fuzzer-no-link
endif

EXPORTS := -rdynamic
# Only libc is shared; debugging information goes beside, but the names that crash records need stay.
ifeq ($(LEAN),1)
DEPS     := $(B)/deps
HARDEN   += -I$(DEPS)/include -ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=/usr/src/provider-packet
LDHARDEN := $(LDHARDEN) -Wl,--gc-sections -Wl,--build-id=sha1 -static-libgcc
EXPORTS  :=
AR       := $(CROSS)ar
SEPARATE = $(CROSS)objcopy --only-keep-debug $@ $@.debug && $(CROSS)objcopy --strip-debug --add-gnu-debuglink=$@.debug $@ && \
           mkdir -p $(B)/debug && mv $@.debug $(B)/debug/
endif

CFLAGS   ?=
CPPFLAGS ?=
LDFLAGS  ?=
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE -I. -DPROVIDER_PACKET_VERSION='"$(VERSION)"' $(OPTIMISE) $(WARNINGS) $(WERROR) \
             $(HARDEN) $(CPPFLAGS) $(CFLAGS)

# ---- the parts ---------------------------------------------------------------------------------------------------------
ROLES    := supervisor watcher worker packet-gateway exporter
PROGRAMS := $(ROLES) packetctl
SIMS     := $(notdir $(patsubst %/,%,$(wildcard tests/sim/*/)))

LIBS_bus            := -lczmq -lzmq -lmsgpackc -lseccomp
LIBS_supervisor     := $(LIBS_bus)
LIBS_watcher        := $(LIBS_bus) -lcurl -ljansson -lyaml -lcrypto
LIBS_worker         := $(LIBS_bus) -lmd
LIBS_packet-gateway := $(LIBS_bus) -lcurl -ljansson -lssl -lcrypto
LIBS_exporter       := $(LIBS_bus) -lmicrohttpd
LIBS_packetctl      := $(LIBS_bus) -ljansson -lncurses -ltinfo
LIBS_sim            := -lmicrohttpd -ljansson -lyaml -lssl -lcrypto -lz -lpthread -lgnutls
LIBS_every          := $(LIBS_bus) -lcurl -ljansson -lyaml -lmd -lmicrohttpd -lssl -lcrypto -lz -lpthread -lncurses -ltinfo

ifeq ($(LEAN),1)
static = -Wl,-Bstatic $(1) -Wl,-Bdynamic
LEAN_bus := $(DEPS)/lib/libczmq.a $(DEPS)/lib/libzmq.a -lmsgpackc -lseccomp -lstdc++ -lgcc_eh
LIBS_supervisor     := $(call static,$(LEAN_bus))
LIBS_watcher        := $(call static,$(DEPS)/lib/libcurl.a -lnghttp2 -ljansson -lyaml -lssl -lcrypto -lz $(LEAN_bus))
LIBS_worker         := $(call static,-lmd $(LEAN_bus))
LIBS_packet-gateway := $(call static,$(DEPS)/lib/libcurl.a -lnghttp2 -ljansson -lssl -lcrypto -lz $(LEAN_bus))
LIBS_exporter       := $(call static,$(DEPS)/lib/libmicrohttpd.a $(LEAN_bus))
LIBS_packetctl      := $(call static,-ljansson -lncurses -ltinfo $(LEAN_bus))
# Unit tests also need a server that speaks TLS: Debian's.
LIBS_every          := $(call static,$(DEPS)/lib/libcurl.a -lnghttp2 -ljansson -lyaml -lmd -lssl -lcrypto -lz -lncurses -ltinfo \
                         $(LEAN_bus)) -lmicrohttpd -lpthread
endif

objects = $(patsubst %.c,$(B)/obj/%.o,$(wildcard $(1)))

BASE  := $(B)/lib/libbase.a
PROTO := $(B)/lib/libproto.a
core   = $(if $(wildcard $(1)/core/*.c),$(B)/lib/lib$(subst /,-,$(1))-core.a)
shell_ = $(if $(filter-out $(1)/main.c,$(wildcard $(1)/*.c)),$(B)/lib/lib$(subst /,-,$(1))-shell.a)

bin_of = $(if $(filter supervisor,$(1)),$(B)/bin/gardener-extension-provider-packet,$(if $(filter packetctl,$(1)),$(B)/bin/packetctl,$(B)/libexec/$(1)))

BINARIES := $(foreach p,$(PROGRAMS),$(if $(wildcard $(p)/main.c),$(call bin_of,$(p))))
SIM_BINS := $(foreach s,$(SIMS),$(if $(wildcard tests/sim/$(s)/main.c),$(B)/tests/sim-$(s)))
UNIT     := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
WORLD    := $(if $(wildcard tests/world/main.c),$(B)/tests/world)
BENCH    := $(patsubst tests/bench/%.c,$(B)/tests/%,$(wildcard tests/bench/*.c))
FUZZERS  := $(patsubst tests/fuzz/%.c,$(B)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
TOOLS    := $(patsubst tests/tools/%.c,$(B)/tests/%,$(wildcard tests/tools/*.c))

# ---- what people type --------------------------------------------------------------------------------------------------
.PHONY: all build help setup start-provider-packet demo check check-faults check-format check-style check-checklist check-warnings check-static check-docs \
        check-generated generate test test-unit test-openapi test-world test-chart test-e2e test-san test-lean faults fuzz soak bench realkube format install clean \
        programs tests compile_commands.json
.DEFAULT_GOAL := build

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9_.-]+:.*## / {printf "  %-24s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  One test alone: make test ITEM=C-20 | make test-unit T=test_worker_reconcile | make test-e2e CASE=create SERVER=sim"
	@echo "  Variables: CC=gcc|clang  SAN=1  V=1  VERIFY=true  DESTDIR= PREFIX=/usr  SECONDS= SEEDS="

all: setup-build ## build; with VERIFY=true also every check and every test
ifeq ($(VERIFY),true)
	@tests/setup-debian all
	$(MAKE) check
	$(MAKE) -j$(JOBS) programs tests
	$(MAKE) test
else
	$(MAKE) -j$(JOBS) programs
endif

build: setup-build ## the program, packetctl and the simulators
	@$(MAKE) --no-print-directory -j$(JOBS) programs

start-provider-packet: setup-demo ## build and run it here, with both simulators when nothing is configured
	@$(MAKE) --no-print-directory -s -j$(JOBS) programs
	@IGNORE_OPERATION_ANNOTATION=$${IGNORE_OPERATION_ANNOTATION:-true} LEADER_ELECTION=$${LEADER_ELECTION:-false} \
	    tests/demo/start-provider-packet --bin $(B)

demo: setup-demo ## the same, but ends by itself: 0 only if the example became Succeeded and was deleted again
	@$(MAKE) --no-print-directory -s -j$(JOBS) programs
	@IGNORE_OPERATION_ANNOTATION=$${IGNORE_OPERATION_ANNOTATION:-true} LEADER_ELECTION=$${LEADER_ELECTION:-false} \
	    tests/demo/start-provider-packet --bin $(B) --demo

.PHONY: setup-build setup-demo
setup-build:
	@tests/setup-debian build
setup-demo:
	@tests/setup-debian demo

programs: $(BINARIES) $(SIM_BINS) $(B)/tests/bad-worker $(B)/tests/saboteur.so \
          $(if $(filter 1,$(LEAN)),$(foreach r,$(filter-out supervisor,$(ROLES)),$(B)/tests/sabotaged/$(r)))
shipped: $(BINARIES)
lean: setup-lean ## the programs as the image ships them, in build/lean: only libc is shared, the rest inside (ARCH=arm64: in build/lean-arm64)
	$(if $(CROSS),@deploy/lean/sysroot $(SYSROOT) $(ARCH))
	@deploy/lean/build $(LEAN_B)/deps $(SYSROOT)
	@$(LEAN_MAKE) -j$(JOBS) $(if $(CROSS),shipped,programs)
	@deploy/lean/check $(LEAN_B)
image: ## build/image: an OCI layout, a tar that docker and podman load, an SBOM (ARCH=arm64: build/image-arm64)
	@tests/setup-debian image$(SUFFIX)
	@$(MAKE) --no-print-directory lean
	@deploy/image/build --bin $(LEAN_B) --out $(IMAGE) --arch $(ARCH) $(if $(CROSS),--root $(SYSROOT))
image-reproducible: ## builds the image twice without any cache, at other paths, times and umasks: the digests are the same
	@tests/setup-debian image$(SUFFIX)
	@tests/image/reproducible $(ARCH)
ifeq ($(ARCH),arm64)
image-test: image # the programs under qemu-user, which has no seccomp and no Landlock, against the simulators
	@tests/setup-debian qemu demo
	@$(MAKE) --no-print-directory -s -j$(JOBS) ARCH=amd64 $(BINARIES) $(SIM_BINS)
	@tests/image/run-arm64 --image $(IMAGE) --bin $(B) $(if $(CASE),-k $(CASE))
else
image-test: image realkube ## the image in a container by crun, restricted, against the real API server (needs root; CASE=name, PATIENT=only|without, OLD=commit to update from; ARCH=arm64: under qemu-user)
	@$(LEAN_MAKE) -j$(JOBS) $(LEAN_B)/tests/world
	@tests/image/previous $(OLD)
	@$(if $(CASE)$(PATIENT),tests/image/run $(if $(CASE),-k $(CASE)) $(if $(PATIENT),--patient $(PATIENT)),\
	    tests/tools/side-by-side build/image-test 'tests/image/run --patient without' 'tests/image/run --patient only')
endif
.PHONY: lean setup-lean shipped image image-reproducible image-test
setup-lean:
	@tests/setup-debian lean$(SUFFIX)
tests: $(UNIT) $(WORLD) $(BENCH) $(TOOLS)
fuzzers: $(FUZZERS)

# ---- how things are built ------------------------------------------------------------------------------------------------
$(B)/flags: FORCE
	@mkdir -p $(B)
	@echo '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(LDFLAGS))' | cmp -s - $@ || echo '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(LDFLAGS))' >$@
.PHONY: FORCE

# One line for each file; V=1 shows whole commands.
Q := $(if $(V),,@)

# cmocka's asserts do not tell the compiler that they never return.
UNIT_CFLAGS := -Wno-null-dereference $(if $(filter gcc,$(CC)),-Wno-stringop-overread)

$(B)/obj/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC    $<')
	$(Q)$(CC) $(ALL_CFLAGS) $(if $(filter tests/unit/%,$<),$(UNIT_CFLAGS)) -MMD -MP -c $< -o $@

archive = @mkdir -p $(@D); rm -f $@; $(AR) rcs $@ $^

$(BASE): $(call objects,base/*.c)
	$(archive)
$(PROTO): $(call objects,proto/*.c)
	$(archive)

# For a folder of a role or of a simulator: its core, its shell without main.c.
define folder_rules
$(B)/lib/lib$(subst /,-,$(1))-core.a: $(call objects,$(1)/core/*.c)
	$$(archive)
$(B)/lib/lib$(subst /,-,$(1))-shell.a: $(filter-out $(B)/obj/$(1)/main.o,$(call objects,$(1)/*.c))
	$$(archive)
endef
$(foreach f,$(PROGRAMS) $(addprefix tests/sim/,$(SIMS)),$(eval $(call folder_rules,$(f))))

define program_rules
$(call bin_of,$(1)): $(B)/obj/$(1)/main.o $(call shell_,$(1)) $(call core,$(1)) $(PROTO) $(BASE)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo '  LINK  $$@')
	$$(Q)$$(CC) $$(LDHARDEN) $$(LDFLAGS) $$(EXPORTS) -o $$@ $$^ $$(LIBS_$(1))
	$$(Q)$$(SEPARATE)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))

# The real worker with its core's entry and its connections in other hands (tests/e2e/bad_worker.c).
$(B)/tests/bad-worker: $(B)/obj/worker/main.o $(B)/obj/tests/e2e/bad_worker.o $(call shell_,worker) $(call core,worker) $(PROTO) $(BASE)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LINK  $@')
	$(Q)$(CC) $(LDHARDEN) $(LDFLAGS) $(EXPORTS) -Wl,--wrap=worker_core_message,--wrap=bus_connect -o $@ $^ $(LIBS_worker)

# Loaded into any role to make it fail (tests/e2e/saboteur.c); never with sanitizers, which must be loaded first.
$(B)/tests/saboteur.so: tests/e2e/saboteur.c $(B)/flags
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LINK  $@')
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -shared -fPIC -O1 $(WARNINGS) -Wno-pedantic -o $@ $< -lzmq

# The lean programs have the libraries inside, where nothing can be loaded in their place: linked with it, for the tests.
define sabotaged_rules
$(B)/tests/sabotaged/$(1): $(B)/obj/$(1)/main.o $(B)/obj/tests/e2e/saboteur.o $(call shell_,$(1)) $(call core,$(1)) $(PROTO) $(BASE)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo '  LINK  $$@')
	$$(Q)$$(CC) $$(LDHARDEN) $$(LDFLAGS) -Wl,--wrap=zmq_poll,--wrap=zmq_msg_send,--wrap=zmq_send,--wrap=json_loadb -o $$@ $$^ $$(LIBS_$(1))
endef
ifeq ($(LEAN),1)
$(B)/obj/tests/e2e/saboteur.o: CPPFLAGS += -DLINKED -Wno-pedantic
$(foreach p,$(filter-out supervisor,$(ROLES)),$(eval $(call sabotaged_rules,$(p))))
endif

define sim_rules
$(B)/tests/sim-$(1): $(B)/obj/tests/sim/$(1)/main.o $(call shell_,tests/sim/$(1)) $(call core,tests/sim/$(1)) $(BASE)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo '  LINK  $$@')
	$$(Q)$$(CC) $$(LDHARDEN) $$(LDFLAGS) -o $$@ $$^ $$(LIBS_sim)
endef
$(foreach s,$(SIMS),$(eval $(call sim_rules,$(s))))

CORES := $(foreach f,$(ROLES) $(addprefix tests/sim/,$(SIMS)),$(call core,$(f)))

# What unit tests share; filter.o must be linked although nobody calls it.
FIXTURES := $(B)/lib/libfixtures.a
$(FIXTURES): $(filter-out $(B)/obj/tests/unit/test_% $(B)/obj/tests/unit/filter.o,$(call objects,tests/unit/*.c))
	$(archive)

# A unit test links its own role's shell (by its name) and every core.
unit_role = $(if $(filter test_watcher%,$(1)),watcher,$(if $(filter test_gateway%,$(1)),packet-gateway,$(if $(filter test_worker%,$(1)),worker,$(if $(filter test_supervisor%,$(1)),supervisor,$(if $(filter test_packetctl%,$(1)),packetctl,$(if $(filter test_exporter%,$(1)),exporter,$(if $(filter test_packet_sim%,$(1)),tests/sim/packet-api,$(if $(filter test_kube_sim%,$(1)),tests/sim/kube-apiserver))))))))
define unit_rules
$(B)/tests/$(1): $(B)/obj/tests/unit/$(1).o $(B)/obj/tests/unit/filter.o $(if $(call unit_role,$(1)),$(call shell_,$(call unit_role,$(1)))) $(FIXTURES) $(CORES) $(PROTO) $(BASE)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo '  LINK  $$@')
	$$(Q)$$(CC) $$(LDHARDEN) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group -lcmocka $$(LIBS_every)
endef
$(foreach t,$(notdir $(UNIT)),$(eval $(call unit_rules,$(t))))
$(B)/tests/test_gateway_transport_sim: | $(B)/tests/sim-packet-api
# These start the program itself.
$(filter $(B)/tests/test_packet_sim_server%,$(UNIT)): | $(B)/tests/sim-packet-api

$(B)/tests/world: $(call objects,tests/world/*.c) $(CORES) $(PROTO) $(BASE)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LINK  $@')
	$(Q)$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS_every)

$(BENCH): $(B)/tests/%: $(B)/obj/tests/bench/%.o $(PROTO) $(BASE)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LINK  $@')
	$(Q)$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $^ $(LIBS_every)
$(TOOLS): $(B)/tests/%: $(B)/obj/tests/tools/%.o $(CORES) $(PROTO) $(BASE)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LINK  $@')
	$(Q)$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS_every)

fuzz_role = $(if $(filter fuzz_watch% fuzz_kube%,$(1)),watcher,$(if $(filter fuzz_packet%,$(1)),packet-gateway))
define fuzz_rules
$(B)/tests/$(1): $(B)/obj/tests/fuzz/$(1).o $(if $(call fuzz_role,$(1)),$(call shell_,$(call fuzz_role,$(1)))) $(CORES) $(PROTO) $(BASE)
	@mkdir -p $$(@D)
	$$(if $$(V),,@echo '  LINK  $$@')
	$$(Q)$$(CC) $$(LDHARDEN) $$(LDFLAGS) -fsanitize=fuzzer -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(LIBS_every)
endef
$(foreach t,$(notdir $(FUZZERS)),$(eval $(call fuzz_rules,$(t))))

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# ---- checks --------------------------------------------------------------------------------------------------------------
C_FILES = $(shell git ls-files '*.c' '*.h')

check: check-format check-style check-faults check-checklist check-generated check-docs check-warnings check-static ## format, style rules, warnings (gcc and clang), static analysis

check-format:
	@clang-format --dry-run -Werror $(C_FILES)
check-style:
	@tests/tools/check-style
check-faults: ## each planted fault still fits the code (make faults lets the worlds find them)
	@for f in tests/world/faults/*.patch; do patch --dry-run -s -f -p1 <$$f || { echo "$$f does not apply any more" >&2; exit 1; }; done
check-checklist: ## each item of the Packet and the Kubernetes contract has a test
	@tests/tools/checklist >/dev/null
check-warnings:
	@$(MAKE) --no-print-directory -s -j$(JOBS) WERROR=-Werror CC=gcc B=build/check-gcc programs tests
	@$(MAKE) --no-print-directory -s -j$(JOBS) WERROR=-Werror CC=clang B=build/check-clang programs tests
	@$(MAKE) --no-print-directory -s -j$(JOBS) WERROR=-Werror CC=clang SAN=1 FUZZ=1 B=build/fuzz fuzzers
check-static:
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	    --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=varFuncNullUB -I. -D_GNU_SOURCE -DPROVIDER_PACKET_VERSION='""' -j$(JOBS) $(PROGRAMS) base proto tests/sim tests/world
check-generated: $(B)/tests/print_protocol $(B)/tests/print_errors ## what is made of other files is up to date: docs/protocol.md, docs/errors.md, deploy/rbac.yaml, registrations
	@$(B)/tests/print_protocol --page | diff -u docs/protocol.md - || { echo "docs/protocol.md is stale: run make generate" >&2; exit 1; }
	@$(B)/tests/print_errors | diff -u docs/errors.md - || { echo "docs/errors.md is stale: run make generate" >&2; exit 1; }
	@deploy/generate --check
check-docs: $(BINARIES) ## links, files, commands, flags and targets that the pages name are there
	@tests/tools/check-docs $(B)
generate: $(B)/tests/print_protocol $(B)/tests/print_errors ## docs/protocol.md and docs/errors.md from the tables in the code; deploy/rbac.yaml and the registrations from the chart
	$(B)/tests/print_protocol --page >docs/protocol.md
	$(B)/tests/print_errors >docs/errors.md
	deploy/generate
format: ## clang-format over every C file
	clang-format -i $(C_FILES)

compile_commands.json: ## for editors and clang-tidy
	@$(MAKE) --no-print-directory -B -n V=1 B=build/compile-commands programs tests | tests/tools/compile-commands >$@

# ---- tests ----------------------------------------------------------------------------------------------------------------
ITEM    ?=
T       ?=
CASE    ?=
SERVER  ?= sim
SECONDS ?= 10
SEEDS   ?= 10000

test: ## every test: unit, world, fuzz corpora, end-to-end on both servers, all again with sanitizers (ITEM=C-20: one checklist item)
ifneq ($(ITEM),)
	@tests/tools/run-item '$(ITEM)' $(B)
else
	$(MAKE) test-unit
	$(MAKE) test-openapi
	$(MAKE) test-world
	$(MAKE) realkube chart-tools
	$(MAKE) -s -j$(JOBS) SAN=1 programs tests
	tests/tools/side-by-side $(B)/at-once \
	    '$(MAKE) test-e2e SERVER=sim PATIENT=without && $(MAKE) test-e2e SERVER=real PATIENT=without && \
	     $(MAKE) SAN=1 test-e2e SERVER=sim PATIENT=without' \
	    '$(MAKE) SAN=1 JOBS=1 test-unit test-openapi && nice -n 10 $(MAKE) SAN=1 test-world' \
	    '$(MAKE) test-e2e SERVER=sim PATIENT=only' \
	    '$(MAKE) test-e2e SERVER=real PATIENT=only' \
	    '$(MAKE) SAN=1 test-e2e SERVER=sim PATIENT=only'
	$(MAKE) fuzz
endif

test-unit: ## cmocka programs (T=name for one)
	@$(MAKE) --no-print-directory -s -j$(JOBS) programs tests
	@tests/tools/run-unit $(B) $(T)
	$(if $(T),,@tests/tools/checklist $(B))
test-openapi: ## the Packet simulator against its OpenAPI document and a public client
	@$(MAKE) --no-print-directory -s -j$(JOBS) $(B)/tests/sim-packet-api
	@tests/openapi/run $(B)
test-world: ## SEEDS simulated worlds
	@$(MAKE) --no-print-directory -s -j$(JOBS) $(WORLD)
	@tests/tools/run-world $(B) $(SEEDS) $(JOBS)
faults: ## each fault of tests/world/faults/, planted into a copy, must be found within 10,000 worlds (T=name for one)
	@$(MAKE) --no-print-directory -s -j$(JOBS) $(WORLD)
	@tests/tools/run-faults $(B) 10000 $(T)
test-chart: realkube chart-tools ## chart, registration, alerts and dashboard: rendered by helm, judged by a real API server and by promtool
	@$(MAKE) --no-print-directory test-e2e SERVER=real CASE=chart_,registration_,alerts_
test-e2e: ## whole-program cases (SERVER=sim|real, CASE=name, PATIENT=only|without)
	@$(MAKE) --no-print-directory -s -j$(JOBS) programs
	@tests/e2e/run --server $(SERVER) --bin $(B) $(if $(CASE),-k $(CASE)) $(if $(PATIENT),--patient $(PATIENT))
test-san: ## unit, world and end-to-end on the simulator under ASan and UBSan
	@$(MAKE) --no-print-directory -s -j$(JOBS) SAN=1 programs tests
	@$(MAKE) --no-print-directory SAN=1 test-unit
	@$(MAKE) --no-print-directory SAN=1 test-world
	@$(MAKE) --no-print-directory SAN=1 test-e2e SERVER=sim
test-lean: lean realkube ## unit and end-to-end on both servers, with the programs as the image ships them
	@$(LEAN_MAKE) test-unit test-openapi
	@$(LEAN_MAKE) test-e2e SERVER=sim
	@$(LEAN_MAKE) test-e2e SERVER=real
fuzz: ## each fuzz target on its corpus, then SECONDS of new input
	@$(MAKE) --no-print-directory -s -j$(JOBS) CC=clang SAN=1 FUZZ=1 B=build/fuzz fuzzers
	@tests/tools/run-fuzz build/fuzz $(SECONDS)
realkube: ## build kube-apiserver, etcd and kubectl from Go modules and unpack Debian's kubectl, once
	@tests/realkube/build
	@tests/realkube/kubectl-debian || [ $$? = 3 ]
.PHONY: chart-tools
chart-tools: # helm, promtool and the CRDs of others, from Go modules, once; a case that misses one is skipped and says so
	@for p in helm promtool; do tests/tools/go-program tests/$$p || echo "NO $$p: its cases will be skipped" >&2; done
	@tests/chart/crds/fetch || echo "NO CRDs: their case will be skipped" >&2
soak: ## the same programs for long: make soak SECONDS=3600 SEEDS=1000000
	$(MAKE) test-world faults SEEDS=$(SEEDS)
	$(MAKE) fuzz SECONDS=$(SECONDS)
	CHAOS_SECONDS=$(SECONDS) CHAOS_OBJECTS=200 CHAOS_KILLS=40 $(MAKE) test-e2e SERVER=real CASE=chaos
	PODS_SECONDS=$(SECONDS) PODS_OBJECTS=100 $(MAKE) test-e2e SERVER=real CASE=two_pods
	FAULT_OBJECTS=100 FAULT_KILLS=30 $(MAKE) test-e2e SERVER=sim CASE=creates_with,lists_that_miss,wrong_answers
	MATRIX_OBJECTS=200 KILLS_SECONDS=$(SECONDS) BLAME_OBJECTS=500 $(MAKE) test-e2e SERVER=sim CASE=matrix,under_kills,four_bad
	BUDGET_OBJECTS=200 $(MAKE) test-e2e SERVER=sim CASE=is_kept,waiting_for_budget,is_found,overtakes,slow_each,in_five
bench: lean ## counts and ratios beside their targets, Debian's libraries and lean in turns; also as JSON in $(B)/bench.json
	@tests/setup-debian test
	@$(MAKE) --no-print-directory -s -j$(JOBS) programs tests
	@tests/realkube/build
	@tests/bench/run --bin $(B) --beside build/lean --json $(B)/bench.json

# ---- install --------------------------------------------------------------------------------------------------------------
PREFIX     ?= /usr/local
LIBEXECDIR ?= $(PREFIX)/libexec
install: programs ## DESTDIR, PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 644 docs/completion/packetctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/packetctl
	install -m 755 $(B)/bin/* $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(B)/libexec/* $(DESTDIR)$(LIBEXECDIR)/
	$(if $(wildcard docs/man/*.1),install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/)
	$(if $(wildcard docs/man/*.8),install -m 644 docs/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8/)

clean: ## remove build/
	rm -rf build compile_commands.json
