#!/bin/sh
# The contenders nginx and nginx-lua, one process: nginx.sh MODE DIRECTORY [lua] (see ../load.c).
# Prints the port that it is going to listen on.
mode=$1 directory=$2
PATH=$PATH:/usr/sbin
port=$(${LUA:-lua5.4} -e 'local s = require "csock".create_server { "127.0.0.1", 0 }; print(s:getsockname().port)')
conf=$directory/nginx-$port.conf
modules=
case $mode in
file*) answer="root $directory; try_files /$mode =404;" ;;
*) answer="default_type text/plain; return 200 '$(printf %1024s | tr ' ' x)';" ;;
esac
if [ "$3" = lua ]; then # the same by its Lua module
  modules="load_module /usr/lib/nginx/modules/ndk_http_module.so;
    load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;"
  answer="default_type text/plain; content_by_lua_block {
    ngx.header.content_length = 1024
    ngx.print(body)
  }"
  init='init_by_lua_block { body = ("x"):rep(1024) }'
fi
cat >"$conf" <<END
$modules
daemon off;
master_process off;
pid $conf.pid;
error_log /dev/null;
worker_rlimit_nofile 20000;
events { worker_connections 19000; }
http {
  $init
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 60;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=100;
  client_body_temp_path $directory; proxy_temp_path $directory; fastcgi_temp_path $directory;
  uwsgi_temp_path $directory; scgi_temp_path $directory;
  server { listen 127.0.0.1:$port backlog=1024; location / { $answer } }
}
END
echo "$port"
exec nginx -p "$directory" -c "$conf"
