# seep: one makefile, all output under build/.
#
#   make            the daemon, the client and the BPF object
#   make demo       a leak is found in a running server (installs what is missing)
#   make test       all test tiers that this machine allows (installs what is missing)
#   make help       every target

.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

B := build

CC ?= gcc
CLANG ?= clang
CXX ?= g++
BPFTOOL ?= $(shell command -v bpftool 2>/dev/null || echo /usr/sbin/bpftool)
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
DESTDIR ?=
PREFIX ?= /usr
TEST ?=

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif

ifeq ($(V),1)
Q :=
msg :=
else
Q := @
msg = @printf '  %-8s %s\n' '$(1)' '$(patsubst $(B)/%,%,$(2))';
endif

VERSION := $(shell sed -n 's/^## \([0-9][^ ]*\).*/\1/p' CHANGELOG.md 2>/dev/null | head -n 1)

# Debian packages: to build and to run the demo; for tests and lint; for make fuzz; for test-vm.
BUILD_PACKAGES := gcc make clang llvm pkg-config bpftool libbpf-dev libelf-dev zlib1g-dev libdw-dev \
	libcapstone-dev libevent-dev libjansson-dev libseccomp-dev libcap-dev libiberty-dev \
	libsqlite3-dev libsystemd-dev libinih-dev uthash-dev jq
PACKAGES := $(BUILD_PACKAGES) g++ libcmocka-dev libasan8 libubsan1 clang-format clang-tidy cppcheck \
	shellcheck curl python3 procps util-linux gdb binutils dwz xz-utils musl-tools systemd mandoc

# Programs that make eval-real watches; those that are not there are left out.
EVAL_REAL_PACKAGES := redis-server memcached nginx postgresql libsqlite3-0 python3 util-linux

FUZZ_PACKAGES := libclang-rt-14-dev

# The service in Python that make demo, make test and make bench-python watch, and a module in C.
STORY_PACKAGES := python3 python3-fastapi python3-uvicorn python3-websockets
PACKAGES += $(STORY_PACKAGES) python3-dev

VM_PACKAGES := qemu-system-x86 busybox-static cpio debian-archive-keyring debootstrap
DEB_PACKAGES := dpkg-dev binutils

LIBS := libbpf libelf libdw capstone libevent_core libevent_extra jansson libseccomp libcap zlib sqlite3 \
	libsystemd inih

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
	-Wformat=2 -Wundef -Wvla -Wconversion -Wno-sign-conversion -Wpointer-arith
WERROR ?=
CPPFLAGS += -D_GNU_SOURCE -Isrc -I$(B)/gen -DSEEP_VERSION='"$(VERSION)"'
CFLAGS ?= -O2 -g
LIB_CFLAGS = $(shell pkg-config --cflags $(LIBS))
LIB_LDFLAGS = $(shell pkg-config --libs $(LIBS)) -liberty -lm
ALL_CFLAGS = -std=gnu11 $(WARN) $(WERROR) -fno-omit-frame-pointer $(CPPFLAGS) $(LIB_CFLAGS) $(CFLAGS)
DEP = -MMD -MP

BPF_SRC := bpf/seep.bpf.c
BPF_OBJ := $(B)/bpf/seep.bpf.o
BPF_LEGACY_OBJ := $(B)/bpf/seep_legacy.bpf.o
BPF_SKEL := $(B)/gen/seep.skel.h
BPF_LEGACY_SKEL := $(B)/gen/seep_legacy.skel.h
# What programs and maps of one seepd must have in common with the next one's: see src/probe/takeover.c.
ABI_SRC := bpf/abi.h bpf/ages.h bpf/maps.bpf.h bpf/sampling.h
ABI_HASH := $(B)/gen/abi_hash.h
BPF_SKELS := $(BPF_SKEL) $(BPF_LEGACY_SKEL) $(ABI_HASH)
BPF_CFLAGS := -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -O2 -g -Wall -Wextra -Wno-unused-parameter \
	-Wno-unknown-attributes -Ivmlinux -Ibpf

MAINS := src/seepd.c src/seepctl.c
LIB_SRC := $(filter-out $(MAINS),$(wildcard src/*.c src/*/*.c))
LIB_OBJ := $(LIB_SRC:src/%.c=$(B)/obj/%.o)
SAN_OBJ := $(LIB_SRC:src/%.c=$(B)/san/obj/%.o)
SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -O1

UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/san/unit/%)
BPFTEST_SRC := $(wildcard tests/bpf/test_*.c)
BPFTEST_BIN := $(BPFTEST_SRC:tests/bpf/%.c=$(B)/tests/bpf/%)
PYTEST_SRC := $(wildcard tests/python/*.c)
PYTEST_BIN := $(PYTEST_SRC:tests/python/%.c=$(B)/tests/python/%) \
	$(PYTEST_SRC:tests/python/%.c=$(B)/san/python/%)
WORKLOAD_SRC := $(wildcard tests/workloads/*.c tests/workloads/*.cc)
WORKLOAD_BIN := $(addprefix $(B)/workloads/,$(basename $(notdir $(WORKLOAD_SRC))))
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
FUZZ_OBJ := $(LIB_SRC:src/%.c=$(B)/fuzz/obj/%.o)
REPLAY_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/san/fuzz/%)
BENCH_SRC := $(filter-out tests/bench/loop.c %.bpf.c,$(wildcard tests/bench/*.c))
BENCH_OBJ := $(BENCH_SRC:tests/bench/%.c=$(B)/bench/obj/%.o)
BENCH_SKEL := $(B)/gen/classic.skel.h
BENCH_BIN := $(B)/bench/bench $(B)/bench/loop

.PHONY: all
all: $(B)/seepd $(B)/seepctl ## the daemon and the client (default)

# --- BPF ------------------------------------------------------------------------------------------

.PHONY: bpf
bpf: $(BPF_SKELS) ## only the BPF objects and their skeletons

$(BPF_LEGACY_OBJ): BPF_VARIANT := -DSEEP_LEGACY
$(BPF_OBJ) $(BPF_LEGACY_OBJ): $(BPF_SRC) $(wildcard bpf/*.h) $(wildcard vmlinux/*.h)
	$(call msg,BPF,$@)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) $(BPF_VARIANT) -c $< -o $@
	$(Q)llvm-strip -g $@

$(B)/gen/%.skel.h: $(B)/bpf/%.bpf.o
	$(call msg,SKEL,$@)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(ABI_HASH): $(ABI_SRC)
	$(call msg,HASH,$@)mkdir -p $(@D)
	$(Q)printf '#define ABI_HASH "%s"\n' "$$(cat $^ | sha256sum | cut -c 1-32)" > $@

.PHONY: vmlinux
vmlinux: ## dump every kernel type to build/vmlinux.h, for reference
	$(call msg,BTF,$(B)/vmlinux.h)mkdir -p $(B)
	$(Q)$(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c > $(B)/vmlinux.h

# --- programs -------------------------------------------------------------------------------------

$(B)/obj/%.o: src/%.c | $(BPF_SKELS)
	$(call msg,CC,$@)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(DEP) -c $< -o $@

$(B)/libseep.a: $(LIB_OBJ)
	$(call msg,AR,$@)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/seepd $(B)/seepctl: $(B)/%: $(B)/obj/%.o $(B)/libseep.a
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LIB_LDFLAGS) -o $@

AR ?= ar
ifeq ($(origin AR),default)
AR := ar
endif

# --- installation ---------------------------------------------------------------------------------

UNITS := seepd.service seepd.socket seepd-http.socket
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
DOC_DIR := $(PREFIX)/share/doc/seep
DOCUMENTS := $(wildcard docs/*.md)
MAN_DIR := $(PREFIX)/share/man
MANUALS := man1/seepctl.1 man5/seep.conf.5 man8/seepd.8
CONFIGURATION := $(wildcard systemd/seep.conf)
INSTALLED := $(PREFIX)/sbin/seepd $(PREFIX)/bin/seepctl $(UNITS:%=$(UNIT_DIR)/%) \
	$(PREFIX)/lib/sysusers.d/seep.conf $(PREFIX)/lib/tmpfiles.d/seep.conf \
	$(PREFIX)/lib/systemd/catalog/seep.catalog $(PREFIX)/lib/seep/strict.conf \
	$(PREFIX)/lib/seep/command.conf $(PREFIX)/share/bash-completion/completions/seepctl \
	$(MANUALS:%=$(MAN_DIR)/%)

.PHONY: install
install: all ## programs, units, catalog, manuals, documents; DESTDIR, PREFIX=/usr
	$(call msg,INSTALL,$(DESTDIR)$(PREFIX))install -D -m 755 $(B)/seepd $(DESTDIR)$(PREFIX)/sbin/seepd
	$(Q)install -D -m 755 $(B)/seepctl $(DESTDIR)$(PREFIX)/bin/seepctl
	$(Q)install -d $(DESTDIR)$(UNIT_DIR) $(DESTDIR)$(DOC_DIR)/docs
	$(Q)for unit in $(UNITS); do \
		sed 's,/usr/\(sbin\|bin\|lib\|share\)/,$(PREFIX)/\1/,g' systemd/$$unit \
			> $(DESTDIR)$(UNIT_DIR)/$$unit && chmod 644 $(DESTDIR)$(UNIT_DIR)/$$unit || exit; \
	done
	$(Q)install -D -m 644 systemd/seep.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/seep.conf
	$(Q)install -D -m 644 systemd/seep.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/seep.conf
	$(Q)install -D -m 644 systemd/seep.catalog $(DESTDIR)$(PREFIX)/lib/systemd/catalog/seep.catalog
	$(Q)install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/seep systemd/strict.conf systemd/command.conf
	$(Q)install -D -m 644 systemd/seepctl.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/seepctl
	$(Q)for page in $(MANUALS); do \
		install -D -m 644 docs/man/$${page#*/} $(DESTDIR)$(MAN_DIR)/$$page && \
		sed -i 's,/usr/\(share/doc\|lib/seep/strict\),$(PREFIX)/\1,g' $(DESTDIR)$(MAN_DIR)/$$page || exit; \
	done
	$(Q)install -m 644 -t $(DESTDIR)$(DOC_DIR) README.md CHANGELOG.md
	$(Q)install -m 644 -t $(DESTDIR)$(DOC_DIR)/docs $(DOCUMENTS)
	$(Q)for file in $(CONFIGURATION); do \
		test -e $(DESTDIR)/etc/seep/seep.conf || \
			install -D -m 644 $$file $(DESTDIR)/etc/seep/seep.conf || exit; \
	done

.PHONY: uninstall
uninstall: ## what install has put there, but not /etc/seep and /var/lib/seep
	$(Q)rm -f $(INSTALLED:%=$(DESTDIR)%)
	$(Q)rm -rf $(DESTDIR)$(DOC_DIR)
	$(Q)rmdir --ignore-fail-on-non-empty $(DESTDIR)$(PREFIX)/lib/seep 2>/dev/null || true

# A Debian package, build/seep_VERSION_ARCH.deb.
DEB_VERSION ?= $(VERSION)
DEB_ROOT := $(B)/deb/root

.PHONY: deb
deb: ## a Debian package in build/; DEB_VERSION=x.y.z
	$(Q)./tests/deps.sh $(BUILD_PACKAGES) $(DEB_PACKAGES)
	$(Q)rm -rf $(DEB_ROOT)
	$(Q)$(MAKE) --no-print-directory install DESTDIR=$(DEB_ROOT) PREFIX=/usr
	$(call msg,DEB,$(B)/seep_$(DEB_VERSION)_$(shell dpkg --print-architecture).deb)./systemd/deb/build.sh \
		$(DEB_ROOT) '$(DEB_VERSION)' $(B)/seep_$(DEB_VERSION)_$$(dpkg --print-architecture).deb

# --- tests ----------------------------------------------------------------------------------------

$(B)/san/obj/%.o: src/%.c | $(BPF_SKELS)
	$(call msg,CC-SAN,$@)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(SAN) $(DEP) -c $< -o $@

$(B)/san/libseep.a: $(SAN_OBJ)
	$(call msg,AR,$@)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/san/unit/%: tests/unit/%.c $(B)/san/libseep.a
	$(call msg,UNIT,$@)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -Wno-conversion $(SAN) $(DEP) $< $(B)/san/libseep.a \
		$(LIB_LDFLAGS) -lcmocka -o $@

# Fuzz targets: with a corpus that is replayed for make test; and with clang's fuzzer, which needs the
# whole library built for it.
$(B)/san/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $(B)/san/libseep.a
	$(call msg,REPLAY,$@)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-conversion $(SAN) $(DEP) $(filter %.c,$^) $(B)/san/libseep.a \
		$(LIB_LDFLAGS) -o $@

FUZZ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -O1

$(B)/fuzz/obj/%.o: src/%.c | $(BPF_SKELS)
	$(call msg,CC-FUZZ,$@)mkdir -p $(@D)
	$(Q)$(CLANG) $(ALL_CFLAGS) $(FUZZ_SAN) -fsanitize=fuzzer-no-link $(DEP) -c $< -o $@

$(B)/fuzz/libseep.a: $(FUZZ_OBJ)
	$(call msg,AR,$@)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/fuzz/%: tests/fuzz/%.c $(B)/fuzz/libseep.a
	$(call msg,FUZZ,$@)mkdir -p $(@D)
	$(Q)$(CLANG) $(ALL_CFLAGS) -Wno-conversion $(FUZZ_SAN) -fsanitize=fuzzer $(DEP) $< \
		$(B)/fuzz/libseep.a $(LIB_LDFLAGS) -o $@

$(B)/tests/bpf/%: tests/bpf/%.c $(B)/libseep.a
	$(call msg,TEST,$@)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -Wno-conversion $(DEP) $< $(B)/libseep.a $(LIB_LDFLAGS) \
		-lcmocka -o $@

$(B)/tests/python/%: tests/python/%.c $(B)/libseep.a
	$(call msg,TEST,$@)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-conversion $(DEP) $< $(B)/libseep.a $(LIB_LDFLAGS) -o $@

$(B)/san/python/%: tests/python/%.c $(B)/san/libseep.a
	$(call msg,TEST,$@)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-conversion $(SAN) $(DEP) $< $(B)/san/libseep.a $(LIB_LDFLAGS) -o $@

# Workloads say in their first lines how they want to be built: "build: -O2 -fomit-frame-pointer".
workload_flags = $(shell sed -n 's/.*build: *\(-[^*]*\).*/\1/p' $(1) | head -n 1)

$(B)/workloads/%: tests/workloads/%.c
	$(call msg,WORKLOAD,$@)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -g $(DEP) $(or $(call workload_flags,$<),-O1) $< \
		-lpthread -ldl -o $@

$(B)/workloads/%: tests/workloads/%.cc
	$(call msg,WORKLOAD,$@)mkdir -p $(@D)
	$(Q)$(CXX) -D_GNU_SOURCE -Wall -Wextra -g $(DEP) $(or $(call workload_flags,$<),-O1) $< \
		-lpthread -o $@

$(B)/bpf/%.bpf.o: tests/bench/%.bpf.c $(wildcard vmlinux/*.h)
	$(call msg,BPF,$@)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(Q)llvm-strip -g $@

$(B)/bench/obj/%.o: tests/bench/%.c | $(BENCH_SKEL)
	$(call msg,BENCH,$@)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-conversion $(DEP) -c $< -o $@

$(B)/bench/bench: $(BENCH_OBJ) $(B)/libseep.a
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LIB_LDFLAGS) -o $@

# The program that is measured, built as Debian builds: without frame pointers.
$(B)/bench/loop: tests/bench/loop.c
	$(call msg,BENCH,$@)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) $(WERROR) -Wno-conversion -O2 -g -fomit-frame-pointer \
		-fno-optimize-sibling-calls $(DEP) $< -o $@

EVAL_SRC := $(filter-out tests/eval/unfree.c,$(wildcard tests/eval/*.c))
EVAL_OBJ := $(EVAL_SRC:tests/eval/%.c=$(B)/eval/%.o)

$(B)/eval/%.o: tests/eval/%.c
	$(call msg,EVAL,$@)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/eval -Wno-conversion $(DEP) -c $< -o $@

$(B)/eval/eval: $(EVAL_OBJ) $(B)/libseep.a
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -lm -o $@

.PHONY: eval
eval: $(B)/eval/eval ## how right the detector is, on simulated leaks and look-alikes; many minutes
	$(Q)$(B)/eval/eval $(EVAL_FLAGS)

# Real programs for it: the same families with real blocks, and a library that drops frees. Both
# are watched, so both are built as Debian builds: without frame pointers.
LEAKGEN_SRC := $(filter-out tests/leakgen/simulated.c,$(wildcard tests/leakgen/*.c)) \
	$(addprefix tests/eval/,component.c families.c families_benign.c families_blind.c \
	families_fresh.c families_fuzz.c families_leak.c random.c)
LEAKGEN_OBJ := $(LEAKGEN_SRC:tests/%.c=$(B)/leakgen/%.o)
REAL_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(WARN) $(WERROR) -Wno-conversion -O2 -g \
	-fomit-frame-pointer -fno-optimize-sibling-calls
EVAL_REAL_BIN := $(B)/eval/leakgen $(B)/eval/leakgen-simulated $(B)/eval/ld-unfree.so

$(B)/leakgen/%.o: tests/%.c
	$(call msg,LEAKGEN,$@)mkdir -p $(@D)
	$(Q)$(CC) $(REAL_CFLAGS) -Isrc -Itests/eval \
		$(if $(filter %/component.c,$<),-DLEAKGEN_KEEPS -include tests/leakgen/keep.h) $(DEP) -c $< -o $@

$(B)/eval/leakgen: $(LEAKGEN_OBJ)
	$(call msg,LINK,$@)mkdir -p $(@D)
	$(Q)$(CC) $^ -lm -lpthread -o $@

$(B)/eval/leakgen-simulated: $(filter-out %/real.o,$(LEAKGEN_OBJ)) $(B)/leakgen/leakgen/simulated.o \
		$(B)/leakgen/eval/world.o $(B)/libseep.a
	$(call msg,LINK,$@)mkdir -p $(@D)
	$(Q)$(CC) $^ -lm -lpthread -o $@

$(B)/eval/ld-unfree.so: tests/eval/unfree.c
	$(call msg,EVAL,$@)mkdir -p $(@D)
	$(Q)$(CC) $(REAL_CFLAGS) -fPIC -shared -ftls-model=initial-exec $(DEP) $< -ldl -lgcc_s -o $@

.PHONY: eval-real
eval-real: all $(EVAL_REAL_BIN) ## the same on real programs, and on servers that are installed (root); hours
	$(Q)BUILD='$(B)' ./tests/eval/real.py $(EVAL_REAL_FLAGS)

.PHONY: eval-python
eval-python: all ## are type, line and holder of Python leaks right (root); EVAL_PYTHON_FLAGS="--only cycle"; many minutes
	$(Q)BUILD='$(B)' ./tests/eval/eval_python.py $(EVAL_PYTHON_FLAGS)

.PHONY: deps-eval-real
deps-eval-real: ## install the servers that eval-real watches
	$(Q)./tests/deps.sh --install $(EVAL_REAL_PACKAGES)

.PHONY: workloads
workloads: $(WORKLOAD_BIN) ## the programs that the tests watch

.PHONY: test
test: ## every tier this machine allows; TEST=name narrows
	$(Q)./tests/deps.sh $(PACKAGES)
	$(Q)$(MAKE) --no-print-directory test-build
	$(Q)BUILD='$(B)' ./tests/run.sh unit fuzz eval bpf e2e

.PHONY: test-build
test-build: all workloads $(UNIT_BIN) $(REPLAY_BIN) $(BPFTEST_BIN) $(B)/eval/eval $(EVAL_REAL_BIN) check-includes

.PHONY: test-unit
test-unit: $(UNIT_BIN) ## unit tests, under ASan and UBSan
	$(Q)BUILD='$(B)' TEST='$(TEST)' ./tests/run.sh unit

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZ_SECONDS=600; TEST=name narrows; JOBS=2 at a time
	$(Q)./tests/deps.sh $(PACKAGES) $(FUZZ_PACKAGES)
	$(Q)$(MAKE) --no-print-directory $(FUZZ_BIN)
	$(Q)BUILD='$(B)' TEST='$(TEST)' ./tests/fuzz/run.sh $(or $(FUZZ_SECONDS),600) $(or $(JOBS),2)

.PHONY: test-bpf
test-bpf: $(BPFTEST_BIN) workloads ## BPF programs on real probes (root)
	$(Q)BUILD='$(B)' TEST='$(TEST)' ./tests/run.sh bpf

.PHONY: test-e2e
test-e2e: all workloads $(EVAL_REAL_BIN) ## daemon and client on real processes (root)
	$(Q)BUILD='$(B)' TEST='$(TEST)' ./tests/run.sh e2e

.PHONY: test-stacks
test-stacks: all workloads ## stacks against the truth, and of real servers (where installed) against gdb; ten minutes
	$(Q)BUILD='$(B)' TEST=stacks STACKS_LONG=1 TEST_TIMEOUT=1200 ./tests/run.sh e2e

.PHONY: soak
soak: all workloads ## a compressed week: memory and descriptors of seepd do not creep; nine minutes
	$(Q)BUILD='$(B)' TEST=soak SOAK_WEEK=1 TEST_TIMEOUT=1200 ./tests/run.sh e2e

.PHONY: test-vm
test-vm: ## the core tests on other kernels, in emulated machines; KERNELS="5.10 6.1 6.12 newest"
	$(Q)./tests/deps.sh $(PACKAGES) $(VM_PACKAGES)
	$(Q)$(MAKE) --no-print-directory all workloads $(BPFTEST_BIN)
	$(Q)KERNELS='$(KERNELS)' ./tests/vm/run.sh
	$(Q)$(MAKE) --no-print-directory test-vm-systemd

.PHONY: test-vm-systemd
test-vm-systemd: ## the package and its units on an emulated Debian with systemd; SYSTEMD_KERNELS="6.12 newest" KILLS=100
	$(Q)./tests/deps.sh $(PACKAGES) $(VM_PACKAGES) $(DEB_PACKAGES)
	$(Q)$(MAKE) --no-print-directory workloads
	$(Q)$(MAKE) --no-print-directory deb
	$(Q)$(MAKE) --no-print-directory deb DEB_VERSION='$(VERSION)+later'
	$(Q)KERNELS='$(SYSTEMD_KERNELS)' KILLS='$(KILLS)' ./tests/vm/systemd.sh $(B)/seep_$(VERSION)_*.deb \
		$(B)/seep_$(VERSION)+later_*.deb

.PHONY: test-python
test-python: all workloads $(PYTEST_BIN) ## the Python tests with the interpreters of several Debians; SUITES="host bullseye trixie forky" EXTRA=/path
	$(Q)./tests/deps.sh $(PACKAGES) debootstrap
	$(Q)EXTRA='$(EXTRA)' ./tests/python/run.sh $(or $(SUITES),host bullseye trixie forky)

.PHONY: bench
bench: all $(BENCH_BIN) ## what it costs, by mode: ns per malloc/free pair, ticks, memory; ROUNDS=7 BURST=10 TARGETS=500
	$(Q)BUILD='$(B)' ./tests/bench/run.sh $(if $(ROUNDS),--rounds '$(ROUNDS)') \
		$(if $(BURST),--burst '$(BURST)') $(if $(TARGETS),--targets '$(TARGETS)')

.PHONY: bench-servers
bench-servers: all $(B)/bench/loop ## what real servers lose under the default; SECONDS=5 ROUNDS=7 ONLY=name PEERS=no
	$(Q)BUILD='$(B)' ./tests/bench/servers.py $(if $(SECONDS),--seconds '$(SECONDS)') \
		$(if $(ROUNDS),--rounds '$(ROUNDS)') $(if $(ONLY),--only '$(ONLY)') \
		$(if $(filter no,$(PEERS)),--no-peers)

.PHONY: bench-python
bench-python: all ## what a service in Python loses under the default; SECONDS=5 ROUNDS=15; and three minutes of make demo's story
	$(Q)BUILD='$(B)' ./tests/bench/servers.py --only fastapi --no-peers \
		--rounds '$(or $(ROUNDS),15)' $(if $(SECONDS),--seconds '$(SECONDS)')
	$(Q)BUILD='$(B)' ./tests/bench/servers.py --only story --no-peers --rounds 3 --seconds 180

.PHONY: demo
demo: ## find a leak in a running server, and one in a service in Python; about five minutes
	$(Q)./tests/deps.sh $(BUILD_PACKAGES) $(STORY_PACKAGES) curl
	$(Q)$(MAKE) --no-print-directory all $(B)/workloads/leaky_server
	$(Q)./tests/demo/run.sh
	$(Q)./tests/demo/python.sh

.PHONY: deps
deps: ## install every Debian package that build, demo and tests need
	$(Q)./tests/deps.sh --install $(PACKAGES)

# --- looking after the source -----------------------------------------------------------------------

SOURCES = $(wildcard src/*.[ch] src/*/*.[ch] bpf/*.[ch] vmlinux/*.h tests/*.[ch] tests/*/*.[ch] \
	tests/*/*.cc)

.PHONY: format
format: ## rewrite the source in the project's format
	$(Q)$(CLANG_FORMAT) -i $(SOURCES)

.PHONY: format-check
format-check: ## fail if the source is not in the project's format
	$(Q)$(CLANG_FORMAT) --dry-run --Werror $(SOURCES) && echo 'format: ok'

.PHONY: check-includes
check-includes: $(BPF_SKELS) ## fail if a folder includes one above it, or BPF leaks out of src/probe
	$(Q)./tests/check-includes.sh

.PHONY: lint
lint: check-includes $(BPF_SKELS) ## cppcheck, clang-tidy, shellcheck, both compilers with -Werror
	$(Q)./tests/lint.sh '$(CC)' '$(CLANG)' '$(CLANG_TIDY)' \
		"$(filter-out -DSEEP_VERSION=%,$(ALL_CFLAGS))"

.PHONY: clean
clean: ## remove build/
	$(Q)rm -rf $(B)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | \
		awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

-include $(LIB_OBJ:.o=.d) $(SAN_OBJ:.o=.d) $(MAINS:src/%.c=$(B)/obj/%.d)
-include $(UNIT_BIN:=.d) $(BPFTEST_BIN:=.d) $(PYTEST_BIN:=.d) $(WORKLOAD_BIN:=.d) $(BENCH_OBJ:.o=.d) $(B)/bench/loop.d
-include $(FUZZ_OBJ:.o=.d) $(FUZZ_BIN:=.d) $(REPLAY_BIN:=.d)
-include $(EVAL_OBJ:.o=.d) $(LEAKGEN_OBJ:.o=.d)
