#!/bin/sh
# port.sh PORT...: builds csock for another compiler, libc, processor or Lua than this system's own, and runs specs
# there, each port in $BUILD/portability/PORT. Lua comes from the sources of the package manager (or is LUA_TARBALL, a
# release's), and busted is the system's, with what it has of C replaced (spec/portability/lib). What this system
# lacks for a port is said, and is no failure. port.sh --lua PORT...: builds their Lua alone.
set -eu
lua_alone=
if [ "${1:-}" = --lua ]; then
  lua_alone=1
  shift
fi
here=$(pwd)/${BUILD:-build}/portability
core='spec/sys spec/base spec/wait spec/loop spec/name spec/socket spec/stream spec/poll spec/reactor spec/constants'

# What a port is: its compiler, its Lua (package/suite; none: the system's), flags of linking, what its programs are
# started by, its specs, and those among them (patterns of their names) that its libc or emulator cannot pass.
describe() {
  cc=gcc lua= link= run= specs=$core unlike=
  case $1 in
    clang) cc=clang ;;
    # (musl's sendmsg has room for 1 KiB of control messages, and its headers have names of their own.)
    musl) cc=musl-gcc lua=lua5.4/sid unlike='as.many.as.the.kernel.passes headers.have.beyond.that' ;;
    i686) cc=i686-linux-gnu-gcc lua=lua5.4/sid link=$(libc_in /usr/i686-linux-gnu/lib ld-linux.so.2) ;;
    # Big-endian. (What forks, or is about signals and threads, would test the emulator, which has not all of the
    # kernel's options either.)
    s390x)
      cc=s390x-linux-gnu-gcc lua=lua5.4/sid link=$(libc_in /usr/s390x-linux-gnu/lib ld64.so.1) run=qemu-s390x-static
      specs='spec/base spec/name spec/socket/message_spec.lua spec/socket/options_spec.lua spec/socket/socket_spec.lua
        spec/socket/transfer_spec.lua spec/stream'
      unlike='TCP_INFO TCP_CONGESTION IP_ADD_MEMBERSHIP IPV6_RTHDR SO_BINDTODEVICE IP_PKTINFO MSG_CTRUNC ENOTTY
        of.a.TCP.connection also.of.none asks.the.system.once'
      ;;
    # (Before Lua 5.4.3 what closes a variable cannot yield: what would wait there raises.)
    lua5.4-old)
      lua=lua5.4/bullseye
      unlike='done.by..close let.the.handlers close.what.a.failed since.when.a.task leaves.nothing.behind
        Ctrl.C.ends.run Ctrl.C.ends.a.script works.at.the.prompt'
      ;;
    lua5.4-new) lua=lua5.4/sid ;;
    lua5.5) lua=lua5.5/sid ;;
    *) echo "no such port: $1" >&2; exit 2 ;;
  esac
}

# A cross compiler has a libc of its own, in a folder of its own.
libc_in() { echo "-Wl,--dynamic-linker=$1/$2 -Wl,--disable-new-dtags,-rpath,$1"; }

# Debian's sources by suite, with lists that are kept here: the system's own stay as they are.
apt() {
  apt-get -qq -o Dir::Etc::sourcelist="$here/apt/sources.list" -o Dir::Etc::sourceparts=- \
    -o Dir::State::lists="$here/apt/lists" -o Dir::Cache="$here/apt/cache" -o APT::Sandbox::User=root "$@"
}

# The files of Debian's package/suite ($2), which `apt $3...` brings into a folder ($1).
bring() {
  ls "$1"/* 2>/dev/null && return
  command -v apt-get >/dev/null || return 1
  if ! test -e "$here/apt/sources.list"; then
    mkdir -p "$here/apt/lists/partial" "$here/apt/cache/archives/partial"
    site=$(apt-get indextargets --format '$(SITE)' 'Origin: Debian' 'Created-By: Packages' | head -n 1)
    printf '%s\n' "deb $site sid main" "deb-src $site sid main" "deb-src $site bullseye main" > "$here/apt/sources.list"
    apt update >&2 || true # what comes of one suite is worth as much without the other
  fi
  mkdir -p "$1"
  package=$2 folder=$1
  shift 2
  (cd "$folder" && apt "$@" "$package" >&2) || return 1
  ls "$folder"/*
}

# The tarball of a Lua.
tarball() {
  test -z "${LUA_TARBALL:-}" || { echo "$LUA_TARBALL"; return; }
  bring "$here/sources/$1" "$1" --tar-only --download-only source
}

# Penlight, with which busted works, assigns to the control variables of loops in its older versions: Lua 5.5 has those
# constant.
penlight() {
  test -d "$here/penlight" || dpkg-deb -x "$(bring "$here/sources/penlight" lua-penlight/sid download)" "$here/penlight"
  echo "$here/penlight/usr/share/lua/5.4/?.lua"
}

# musl-gcc knows musl's own headers alone, and the kernel's are any libc's.
link_headers() {
  mkdir -p "$dir/include"
  for name in linux asm asm-generic mtd; do
    for found in /usr/include/$name /usr/include/*-linux-gnu/$name; do
      test "$cc" != musl-gcc || test ! -d "$found" || ln -sfn "$found" "$dir/include/$name"
    done
  done
}

# Builds the port's Lua, and writes a command of that name where it needs another program to start it.
build_lua() {
  src=$dir/src
  test ! -x "$dir/lua" || return 0
  archive=$(tarball "$lua") || return 1
  mkdir -p "$src"
  tar -x --strip-components=1 -C "$src" -f "$archive"
  program=$dir/lua
  test -z "$run" || program=$dir/program
  $cc -std=gnu99 -O2 -DLUA_USE_POSIX -DLUA_USE_DLOPEN -o "$program" $(ls "$src"/src/*.c | grep -v /luac.c) \
    -Wl,-E $link -lm -ldl
  test -z "$run" || {
    printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$run" "$program" > "$dir/lua"
    chmod 755 "$dir/lua"
  }
}

lacks() { printf '=== %s: left out, for want of %s\n' "$port" "$1"; }

failed=
for port; do
  describe "$port"
  dir=$here/$port
  command -v $cc >/dev/null || { lacks "$cc"; continue; }
  test -z "$run" || command -v $run >/dev/null || { lacks "$run"; continue; }
  link_headers
  program=
  set -- BUILD="${dir#"$PWD/"}" CC="$cc" CFLAGS="-O1 -g -isystem $dir/include" TLS= READLINE= WERROR=-Werror
  if [ -n "$lua" ]; then
    build_lua || { lacks "the sources of $lua"; continue; }
    program=$dir/lua
    test -z "$lua_alone" || continue
    debian='/usr/share/lua/5.4/?.lua;/usr/share/lua/5.4/?/init.lua'
    test "${lua%/*}" != lua5.5 || debian="$(penlight);$debian" || { lacks lua-penlight; continue; }
    set -- "$@" LUA="$program" LUA_CFLAGS="-isystem $dir/src/src" \
      LUA_PATH="$PWD/lua/?.lua;$PWD/?.lua;$PWD/spec/portability/lib/?.lua;$debian;;"
  fi
  options=
  for name in $unlike; do options="$options --filter-out=$name"; done
  printf '=== %s: %s, %s\n' "$port" "$($cc --version | head -n 1)" "$("${program:-${LUA:-lua5.4}}" -v)"
  ${MAKE:-make} -j "$(getconf _NPROCESSORS_ONLN)" --no-print-directory "$@" SPECS="${SPECS:-$specs}" SPEC_OPTIONS="$options" run-specs || failed="$failed $port"
done
test -z "$failed" || { echo "failed:$failed" >&2; exit 1; }
