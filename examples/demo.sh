#!/bin/sh
# demo.sh: a conversation between the timestamp server and its client, two real processes, both
# sides shown as they speak. `make demo` builds csock and runs this.
set -eu
cd "$(dirname "$0")/.."
LUA=${LUA:-lua5.4}
dir=$(mktemp -d)
server= client= echoes=

finish() {
  for pid in $client $server $echoes; do kill "$pid" 2>/dev/null || true; done
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

fail() {
  echo "demo: $1" >&2
  exit 1
}

mkfifo "$dir/server" "$dir/in" "$dir/out"

# The server, on any free port; each of its lines is shown and kept.
while IFS= read -r line; do
  echo "server | $line"
  echo "$line" >>"$dir/log"
done <"$dir/server" &
echoes=$!
: >"$dir/log"
"$LUA" examples/tsTserv.lua 127.0.0.1 0 </dev/null >"$dir/server" 2>&1 &
server=$!

port= tries=0
while [ -z "$port" ]; do
  kill -0 $server 2>/dev/null || { wait $echoes; fail 'the server ended'; }
  tries=$((tries + 1))
  [ $tries -le 200 ] || fail 'the server did not say its port'
  sleep 0.05
  port=$(sed -n 's/^listening on port //p' "$dir/log")
done

# The client. What it is told is shown behind its prompt, as at a terminal.
"$LUA" examples/tsTclnt.lua 127.0.0.1 "$port" <"$dir/in" >"$dir/out" 2>&1 &
client=$!
exec 3>"$dir/in" 4<"$dir/out"
for text in 'hi' 'how are you?' 'goodbye'; do
  echo "client | > $text"
  echo "$text" >&3
  IFS= read -r reply <&4 || fail 'the client ended'
  echo "client | ${reply#> }"
done
exec 3>&-
wait $client || fail 'the client failed'
client=

# Ctrl-C is how a server like this one is stopped.
kill -INT $server
wait $server || fail 'the server failed'
server=
wait $echoes
echoes=

cat <<END

That was examples/tsTserv.lua and examples/tsTclnt.lua. Both have ended. To try next:

- the same in two terminals: Ctrl-D ends the client, Ctrl-C the server
    $LUA examples/tsTserv.lua
    $LUA examples/tsTclnt.lua
- the prompt, at which servers run while one types
    build/bin/csock
- a chat: the server in one terminal, "telnet localhost 2626" in two more
    $LUA examples/chat_server.lua
- the other programs: examples/README.md
- the specs: make test
END
