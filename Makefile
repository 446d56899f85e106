# csock: see `make help`. Nothing here needs more than make and a C compiler until `make deps` ran,
# so whatever depends on Lua is looked for when a recipe first uses it.

BUILD  ?= build
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
WERROR ?=
WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla

# $(call once,NAME,SCRIPT): runs the script in the variable SCRIPT when NAME is first used.
once = $(eval $(1) := $(shell $($(2))))$($(1))

# The interpreter: the first of these names that is a Lua 5.4 or 5.5.
define find_lua
for l in lua5.4 lua-5.4 lua54 lua5.5 lua-5.5 lua55 lua; do
  case "$$($$l -v 2>&1)" in "Lua 5."[45]*) echo $$l; exit;; esac;
done; echo lua5.4
endef

define find_version
$(LUA) -e 'print((_VERSION:gsub("Lua ", "")))' 2>/dev/null || echo 5.4
endef

# Its headers: pkg-config under each of the names in use, then the usual directories.
define find_headers
v=$(LUA_VERSION); n=$$(echo $$v | tr -d .);
for p in lua$$v lua-$$v lua$$n; do pkg-config --cflags $$p 2>/dev/null && exit; done;
for d in /usr/include /usr/local/include /opt/homebrew/include /opt/local/include; do
  for s in lua$$v lua-$$v lua$$n lua/$$v lua .; do
    grep -qsE "define LUA_VERSION_(MINOR|MINOR_N)[[:space:]]+[^0-9]?$${v#5.}" $$d/$$s/lua.h &&
      echo -I$$d/$$s && exit;
  done;
done
endef

ifndef LUA
LUA = $(call once,LUA,find_lua)
endif
ifndef LUA_VERSION
LUA_VERSION = $(call once,LUA_VERSION,find_version)
endif
ifndef LUA_CFLAGS
LUA_CFLAGS = $(call once,LUA_CFLAGS,find_headers)
endif

# On macOS a module leaves Lua's symbols to the interpreter that loads it.
SHARED := -shared
ifeq ($(shell uname -s),Darwin)
SHARED := -bundle -undefined dynamic_lookup
endif

ALL_CFLAGS = -std=c11 -fPIC -pthread -fvisibility=hidden $(WARN) $(WERROR) $(LUA_CFLAGS) $(CFLAGS)

CORE_SRC := $(sort $(wildcard csrc/sys/*.c csrc/bind/*.c))
CORE_OBJ := $(CORE_SRC:csrc/%.c=$(BUILD)/obj/%.o)
CORE     := $(BUILD)/csock/core.so
SUPPORT  := $(BUILD)/spec/support/posix.so

# A program that specs start finds csock wherever its working directory is.
export LUA
export LUA_PATH  = $(CURDIR)/lua/?.lua;$(CURDIR)/?.lua;;
export LUA_CPATH = $(abspath $(BUILD))/?.so;;

SPECS      ?= spec
TIME_LIMIT ?= 600
BUSTED      = timeout -k 10 $(TIME_LIMIT) $(LUA) spec/support/run.lua
# A newer busted would find busted's settings for itself; nothing here depends on them.

all: $(CORE)

help:
	@echo 'make            build $(CORE)'
	@echo 'make demo       a server and a client that talk to each other, from nothing'
	@echo 'make test       build with warnings as errors, luacheck, all specs (SPECS=spec/bind for some)'
	@echo 'make install    into PREFIX=$(PREFIX) (DESTDIR= is put before it); make uninstall'
	@echo 'make deps       install what building and testing need'
	@echo 'make doc        the reference manual, into doc/html'
	@echo 'make bench      speed and memory, against C and other libraries'
	@echo 'make lint       gcc and clang, clang-format, cppcheck, luacheck, rockspec'
	@echo 'make sanitize   all specs under AddressSanitizer and UBSan'
	@echo 'make valgrind   the specs of the core under valgrind'
	@echo 'make faults     a failing allocator, failing system calls'
	@echo 'make clean'

# --- building -------------------------------------------------------------------------------------

$(CORE): $(CORE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(SHARED) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $(CORE_OBJ) -lm

# Rebuilt when the flags change.
$(BUILD)/obj/%.o: csrc/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/spec/%.so: spec/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(SHARED) -MMD -MP -MF $(@:.so=.d) $(LDFLAGS) -o $@ $<

$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@test -n "$(strip $(LUA_CFLAGS))" || \
	  { echo 'No headers of Lua 5.4 or 5.5 found: run "make deps", or give LUA_CFLAGS=-I...' >&2; exit 1; }
	@echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS) $(LDFLAGS)' > $@

-include $(CORE_OBJ:.o=.d) $(SUPPORT:.so=.d)

clean:
	rm -rf build doc/html

# --- checking -------------------------------------------------------------------------------------

# make starts anew after deps, which may have brought the Lua that the variables above look for.
test:
	@$(MAKE) --no-print-directory run-test WERROR=-Werror

run-test: $(CORE) $(SUPPORT)
	luacheck --quiet --no-color .
	@$(BUSTED) $(SPECS)

FORCE:
.PHONY: all help clean test run-test FORCE
