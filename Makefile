# Sluice.  `make help` lists the targets.  Everything generated stands under build/.
# VARIANT=release (default), asan (AddressSanitizer + UBSan), tsan, fuzz.
VARIANT ?= release
CC      ?= cc
B       := build/$(VARIANT)
GEN     := build/gen
PREFIX  ?= /usr/local

PACKAGES := libpcre2-8 openssl sqlite3 libuv jansson libidn2 libseccomp
DEB_PACKAGES := build-essential pkg-config flex bison libpcre2-dev libssl-dev libsqlite3-dev libuv1-dev libjansson-dev \
    libutf8proc-dev libidn2-dev libseccomp-dev libcmocka-dev
DEB_TEST_PACKAGES := python3-aiosmtpd swaks strace openssl binutils python3
# Reading .deb packages is what `make deps` is for; the goals below need the libraries.
NEEDS_DEPS := demo test asan fuzz bench-relay

WARN := -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
    -Wundef -Werror=implicit-function-declaration -Werror=return-type
CPPFLAGS += -D_GNU_SOURCE -I. -Iruntime -I$(GEN) $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
CFLAGS_release := -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -DSLUICE_SANITIZED=1
CFLAGS_tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -DSLUICE_SANITIZED=1
CFLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DSLUICE_SANITIZED=1
CFLAGS  += -std=c11 $(WARN) $(CFLAGS_$(VARIANT)) -fPIE -pthread
LDFLAGS += -pie -pthread -Wl,-z,relro,-z,now -Wl,--build-id=sha1
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
LDFLAGS_fuzz := -fsanitize=fuzzer-no-link,address,undefined
LDLIBS  := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lutf8proc -lm
ifeq ($(VARIANT),fuzz)
CC := clang
endif

# --- rooms -----------------------------------------------------------------------------------------------------------
RUNTIME_ROOMS := base mail pattern bytecode message vm jail judge builder smtp net store relay daemon
ROOMS := grammar compiler stdlib $(addprefix runtime/,$(RUNTIME_ROOMS))
SOURCES := $(foreach r,$(ROOMS),$(wildcard $(r)/*.c))
GRAMMAR_GEN := $(if $(wildcard grammar/grammar.y),$(GEN)/grammar/grammar.tab.c $(GEN)/grammar/lexer.yy.c)
LIB_OBJECTS := $(SOURCES:%.c=$(B)/obj/%.o) $(GRAMMAR_GEN:$(GEN)/%.c=$(B)/obj/gen/%.o)
MAIN_OBJECT := $(B)/obj/runtime/daemon/main.o
LIBRARY := $(B)/libsluice.a
CLI_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard cli/*.c))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(B)/test/%,$(wildcard tests/unit/*_test.c))
SUPPORT_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/support/*.c))

.DEFAULT_GOAL := all
.PHONY: help all deps peers demo test asan fuzz bench-relay fmt clean install
.SECONDARY:

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | while IFS="$$(printf '\t')" read -r t d; do printf '  %-14s %s\n' "$$t" "$$d"; done

all: $(B)/bin/sluice $(B)/bin/sluiced ## build sluice and sluiced under build/VARIANT/bin

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(B)/obj/gen/%.o: $(GEN)/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-unused-function -Wno-sign-compare -Wno-unused-const-variable -Wno-missing-prototypes -MMD -MP -c $< -o $@

$(GEN)/grammar/grammar.tab.c: grammar/grammar.y
	@mkdir -p $(@D)
	bison -Wall -Werror -Wcounterexamples -d -o $@ $<
$(GEN)/grammar/grammar.tab.h: $(GEN)/grammar/grammar.tab.c ;
$(GEN)/grammar/lexer.yy.c: grammar/lexer.l $(GEN)/grammar/grammar.tab.h
	@mkdir -p $(@D)
	flex --header-file=$(GEN)/grammar/lexer.yy.h -o $@ $<
$(GEN)/grammar/lexer.yy.h: $(GEN)/grammar/lexer.yy.c ;
$(patsubst %.c,$(B)/obj/%.o,$(wildcard grammar/*.c)) $(B)/obj/gen/grammar/lexer.yy.o: | $(if $(GRAMMAR_GEN),$(GEN)/grammar/grammar.tab.h $(GEN)/grammar/lexer.yy.h)

$(LIBRARY): $(filter-out $(MAIN_OBJECT),$(LIB_OBJECTS))
	@rm -f $@
	$(AR) rcs $@ $^

$(B)/bin/sluice: $(CLI_OBJECTS) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $^ $(LDLIBS) -o $@
$(B)/bin/sluiced: $(MAIN_OBJECT) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $^ $(LDLIBS) -o $@

$(B)/test/%: $(B)/obj/tests/unit/%.o $(SUPPORT_OBJECTS) $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $^ $(LDLIBS) -lcmocka -o $@

unit-tests: $(UNIT_TESTS)

clean: ## remove build/
	rm -rf build

-include $(LIB_OBJECTS:.o=.d) $(CLI_OBJECTS:.o=.d) $(SUPPORT_OBJECTS:.o=.d) $(patsubst tests/unit/%.c,$(B)/obj/tests/unit/%.d,$(wildcard tests/unit/*_test.c))
