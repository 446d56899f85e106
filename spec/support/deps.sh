#!/bin/sh
# deps.sh [--optional] TOOL...: makes sure that the tools are there. Installs what is missing where
# apt-get is and may be used; elsewhere prints the line to run, and fails. Takes no time when nothing is
# missing. Tools that are optional it brings as far as it can, says what is left out, and does not fail.
# LUA, LUA_VERSION and LUA_CFLAGS come from the Makefile.
set -eu
optional=
if [ "${1:-}" = --optional ]; then
  optional=1
  shift
fi
LUA=${LUA:-lua5.4}
LUA_VERSION=${LUA_VERSION:-5.4}

lua_finds() {
  "$LUA" -e "os.exit(package.searchpath('$1', package.path) ~= nil)" 2>/dev/null
}

lua_loads() {
  "$LUA" -e "require '$1'" 2>/dev/null
}

have() {
  case $1 in
    cc) command -v cc >/dev/null || command -v gcc >/dev/null ;;
    lua) "$LUA" -v 2>&1 | grep -q 'Lua 5\.[45]' ;;
    headers) test -n "${LUA_CFLAGS:-}" ;;
    busted) lua_finds busted.runner ;;
    services) test -e /etc/services ;;
    # (Other systems' headers are other ones.)
    bluetooth) test "$(uname -s)" != Linux || test -e /usr/include/bluetooth/bluetooth.h ;;
    debhelper) command -v dh >/dev/null ;;
    nginx | haproxy | lighttpd | fcgiwrap | exim4 | telnetd | vsftpd) command -v "$1" >/dev/null || test -x /usr/sbin/"$1" ;; # which is in root's PATH alone
    dovecot-core) command -v dovecot >/dev/null || test -x /usr/sbin/dovecot ;;
    dovecot-imapd) test -x /usr/lib/dovecot/imap || test -x /usr/libexec/dovecot/imap ;;
    dovecot-pop3d) test -x /usr/lib/dovecot/pop3 || test -x /usr/libexec/dovecot/pop3 ;;
    libnginx-mod-stream) test -e /usr/lib/nginx/modules/ngx_stream_module.so ;;
    openssl-headers) echo '#include <openssl/ssl.h>' | cc -E - >/dev/null 2>&1 || pkg-config --exists openssl 2>/dev/null ;;
    readline-headers) echo '#include <readline/readline.h>' | cc -include stdio.h -E - >/dev/null 2>&1 || pkg-config --exists readline 2>/dev/null ;;
    lua-zlib) lua_loads zlib ;;
    lua-cjson) lua_loads cjson ;;
    lua-expat) lua_loads lxp ;;
    python3-jsonrpclib-pelix) /usr/bin/python3 -c 'import jsonrpclib' 2>/dev/null ;;
    node-ws) NODE_PATH=/usr/share/nodejs node -e 'require("ws")' 2>/dev/null ;;
    python3-websockets) /usr/bin/python3 -c 'import websockets' 2>/dev/null ;; # Debian's
    python3-aiosmtpd) /usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null ;;
    python3-pyftpdlib) /usr/bin/python3 -W ignore -c 'import pyftpdlib' 2>/dev/null ;;
    python3-twisted) /usr/bin/python3 -c 'import twisted' 2>/dev/null ;;
    python3-openssl) /usr/bin/python3 -c 'import OpenSSL' 2>/dev/null ;;
    glib-2.0 | libuv | libkqueue) pkg-config --exists "$1" 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

if command -v apt-get >/dev/null; then system=apt
elif command -v dnf >/dev/null; then system=dnf
elif command -v apk >/dev/null; then system=apk
elif command -v pacman >/dev/null; then system=pacman
elif command -v zypper >/dev/null; then system=zypper
elif command -v brew >/dev/null; then system=brew
elif command -v pkg >/dev/null; then system=pkg
else system=unknown
fi

# The system's package with the tool; "rock NAME" where only LuaRocks has it.
package() {
  case $system:$1 in
    apt:cc) echo gcc libc6-dev ;;
    apt:lua) echo lua5.4 ;;
    apt:headers) echo liblua5.4-dev ;;
    apt:busted) echo lua-busted ;;
    apt:luacheck) echo lua-check ;;
    apt:ldoc) echo lua-ldoc ;;
    apt:services) echo netbase ;;
    apt:gnuplot) echo gnuplot-nox ;;
    apt:nc) echo netcat-openbsd ;;
    apt:bluetooth) echo libbluetooth-dev ;;
    brew:node | pkg:node) echo node ;;
    *:node) echo nodejs ;;
    dnf:ab) echo httpd-tools ;;
    pacman:ab) echo apache ;;
    brew:ab) echo httpd ;;
    pkg:ab) echo apache24 ;;
    *:ab) echo apache2-utils ;;
    apt:glib-2.0) echo libglib2.0-dev pkg-config ;;
    apt:libuv) echo libuv1-dev pkg-config ;;
    dnf:glib-2.0 | zypper:glib-2.0) echo glib2-devel ;;
    dnf:libuv | zypper:libuv) echo libuv-devel ;;
    apk:glib-2.0) echo glib-dev ;;
    apk:libuv) echo libuv-dev ;;
    pacman:glib-2.0) echo glib2 ;;
    *:glib-2.0) echo glib ;;
    apt:libkqueue) echo libkqueue-dev pkg-config ;;
    apt:openssl-headers) echo libssl-dev ;;
    apt:readline-headers) echo libreadline-dev ;;
    apt:musl-gcc) echo musl-tools ;;
    apt:i686-linux-gnu-gcc) echo gcc-i686-linux-gnu libc6-dev-i386-cross ;;
    apt:s390x-linux-gnu-gcc) echo gcc-s390x-linux-gnu libc6-dev-s390x-cross ;;
    apt:qemu-s390x-static) echo qemu-user-static ;;
    apt:chromedriver) echo chromium-driver ;;
    apt:exim4) echo exim4-daemon-light ;;
    apk:chromedriver) echo chromium-chromedriver ;;
    pacman:chromedriver) echo chromium ;;
    apt:*) echo "$1" ;;
    dnf:nc) echo nmap-ncat ;;
    apk:dovecot-pop3d) echo dovecot-pop3d ;;
    *:dovecot-*) echo dovecot ;;
    apk:telnet) echo busybox-extras ;;
    apk:nc | zypper:nc) echo netcat-openbsd ;;
    pacman:telnet) echo inetutils ;;
    pacman:nc) echo openbsd-netcat ;;
    pacman:python3) echo python ;;
    dnf:redis-server | apk:redis-server | pacman:redis-server | zypper:redis-server | brew:redis-server | pkg:redis-server)
      echo redis ;;
    *:lua-expat) echo rock luaexpat ;;
    *:busted | *:luacheck | *:ldoc | *:lua-zlib | *:lua-cjson) echo rock "$1" ;;
    *:cc) echo gcc ;;
    dnf:services) echo setup ;;
    dnf:headers) echo lua-devel ;;
    dnf:bluetooth) echo bluez-libs-devel ;;
    dnf:openssl-headers) echo openssl-devel ;;
    apk:openssl-headers) echo openssl-dev ;;
    dnf:readline-headers | zypper:readline-headers) echo readline-devel ;;
    apk:readline-headers) echo readline-dev ;;
    zypper:openssl-headers) echo libopenssl-3-devel ;;
    *:openssl-headers) echo openssl ;;
    *:readline-headers) echo readline ;;
    apk:bluetooth) echo bluez-dev ;;
    pacman:bluetooth) echo bluez-libs ;;
    zypper:bluetooth) echo bluez-devel ;;
    dnf:libkqueue) echo libkqueue-devel pkgconf-pkg-config ;;
    dnf:clang-format) echo clang-tools-extra ;;
    apk:services) echo alpine-baselayout-data ;;
    apk:lua) echo lua5.4 ;;
    apk:headers) echo lua5.4-dev musl-dev ;;
    apk:luarocks) echo luarocks5.4 ;;
    apk:clang-format) echo clang-extra-tools ;;
    pacman:headers) echo lua ;;
    pacman:services) echo iana-etc ;;
    pacman:clang-format) echo clang ;;
    zypper:services) echo netcfg ;;
    zypper:lua) echo lua54 ;;
    zypper:headers) echo lua54-devel ;;
    zypper:luarocks) echo lua54-luarocks ;;
    brew:headers) echo lua ;;
    brew:clang) echo llvm ;;
    pkg:lua | pkg:headers) echo lua54 ;;
    pkg:luarocks) echo lua54-luarocks ;;
    pkg:clang | pkg:clang-format) echo llvm ;;
    *) echo "$1" ;;
  esac
}

lacking() {
  for tool; do
    have "$tool" || printf ' %s' "$tool"
  done
}

missing=$(lacking "$@")
test -n "$missing" || exit 0

packages= rocks=
for tool in $missing; do
  p=$(package "$tool")
  case $p in
    rock\ *) rocks="$rocks ${p#rock }" ;;
    *) packages="$packages $p" ;;
  esac
done
if [ -n "$rocks" ] && ! command -v luarocks >/dev/null; then
  packages="$packages $(package luarocks)"
fi
packages=$(printf '%s\n' $packages | sort -u | tr '\n' ' ')
packages=${packages% }

sudo=
[ "$(id -u)" = 0 ] || sudo='sudo '

run() {
  if [ -n "$sudo" ]; then sudo -n env DEBIAN_FRONTEND=noninteractive "$@"
  else DEBIAN_FRONTEND=noninteractive "$@"
  fi
}

# Shows what apt-get says only when it fails.
install() {
  log=$(mktemp)
  run apt-get install -y -qq --no-install-recommends "$@" </dev/null >"$log" 2>&1 && status=0 || status=$?
  [ $status = 0 ] || cat "$log" >&2
  rm -f "$log"
  return $status
}

if [ $system = apt ] && { [ -z "$sudo" ] || sudo -n true 2>/dev/null; }; then
  echo "installing: $packages"
  # An old list may still do, when the network does not.
  run apt-get update -qq || true
  install $packages && exit || status=$?
  [ -n "$optional" ] || exit $status
  # One that does not exist here shall not keep the others away.
  for p in $packages; do install "$p" 2>/dev/null || true; done
  echo "left out, and skipped by the specs:$(lacking "$@")" >&2
  exit 0
fi

case $system in
  apt) installer='apt-get install' ;;
  apk) installer='apk add' ;;
  pacman) installer='pacman -S' ;;
  brew) installer='brew install' sudo= ;;
  *) installer="$system install" ;;
esac
line=
[ -z "$packages" ] || line="$sudo$installer $packages"
for rock in $rocks; do
  line="${line:+$line && }${sudo}luarocks --lua-version=$LUA_VERSION install $rock"
done

if [ -n "$optional" ]; then
  echo "This system lacks, and the specs skip:$missing" >&2
  [ $system = unknown ] || printf 'They run after this:\n  %s\n' "$line" >&2
  exit 0
fi
echo "csock needs, and this system lacks:$missing" >&2
if [ $system = unknown ]; then
  echo "Install them (Lua 5.4 or 5.5 with its headers), then run make again." >&2
else
  printf 'Run this, then make again:\n  %s\n' "$line" >&2
fi
exit 1
