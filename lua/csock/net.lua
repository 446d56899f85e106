--- What Python's `socket` module does in Python: connecting to a name, starting a server, a host's
-- full name. `csock` hands itself in, and makes these functions its own.
-- @module csock
local check = require "csock.check"
local internal = require "csock.loop.internal"
local secure = require "csock.secure"

-- Splits arguments into an address (a value, a table, or a list of its parts) and the options that may follow it.
-- Raises for what is neither, and for an option of which `rows` know nothing.
local function split_arguments(call, rows, ...)
  local args = table.pack(...)
  local options
  while args.n > 1 and args[args.n] == nil do args.n = args.n - 1 end
  if args.n > 1 and type(args[args.n]) == "table" then
    options = args[args.n]
    args.n = args.n - 1
  end
  local first = type(args[1])
  if first ~= "string" and first ~= "table" and first ~= "userdata" and args.n < 2 then
    check.expected(call, 1, "address", args[1])
  end
  for name in pairs(first == "table" and rows or {}) do
    if args[1][name] ~= nil then
      check.bad(call, 1, ("option '%s' in the address: options are a table of their own"):format(name))
    end
  end
  return args, check.options(options, rows, args.n + 1, call)
end

-- The host of such an address; of an AF_UNIX address the path.
local function host_of(args)
  local first = args[1]
  if type(first) ~= "table" then return first end
  if first[1] ~= nil then return first[1] end
  return first.host
end

local function is_ipv6(host)
  return type(host) == "string" and host:find(":", 1, true) ~= nil
end

-- What the server at such an address must show a certificate for, unless told.
local function server_name_of(args)
  local host = host_of(args)
  if type(host) == "userdata" then host = host.host end
  return secure.name_of(host)
end

local happy = internal.has_loop and require "csock.happy"

return function(csock)
  local M = {}

  -- The addresses to try, each as getaddrinfo gives it; nil, err, errno.
  local function addresses_of(args, timeout)
    local first = args[1]
    if type(first) == "userdata" then
      return { { family = first.family, type = csock.SOCK_STREAM, proto = 0, addr = first } }
    end
    local host, port = host_of(args), args[2]
    if type(first) == "table" then
      port = first[2]
      if port == nil then port = first.port end
      -- A table with a flow label or a scope is an IPv6 address, which getaddrinfo could not take whole.
      if is_ipv6(host) and (first[3] or first.flowinfo or first.scope_id) then
        local addr, err, errno = csock.address(csock.AF_INET6, first)
        if not addr then return nil, err, errno end
        return addresses_of({ addr })
      end
    end
    if port == nil then check.fail "create_connection: port expected, got no value" end
    return csock.getaddrinfo(host, port, { type = csock.SOCK_STREAM, timeout = timeout })
  end

  -- One attempt: a connected socket; nil, err.
  local function connect_to(info, source, timeout)
    local s, err = csock.socket(info.family, info.type, info.proto)
    if not s then return nil, err end
    local holder <close> = internal.holder(s)
    local ok = true
    s:settimeout(timeout)
    if source ~= nil then ok, err = s:bind(source) end
    if ok then ok, err = s:connect(info.addr) end
    if not ok then return nil, err end
    return holder:take()
  end

  -- One error for all the attempts: its text and its `errors` name each address and what it said.
  local function combined_error(infos, errors)
    local lines = {}
    for i, err in ipairs(errors) do
      local why = err.call == "connect" and ("%s [%s]"):format(err.strerror, err.name) or tostring(err)
      lines[i] = tostring(infos[i].addr) .. ": " .. why
    end
    local last = errors[#errors]
    return csock.make_error {
      call = "create_connection", errno = last.errno, kind = last.kind, name = last.name,
      strerror = last.strerror, address = infos[#errors].addr, errors = errors,
      message = "create_connection " .. table.concat(lines, "; "),
    }
  end

  local connection_options = {
    timeout = { check.TIMEOUT, nil, false }, source_address = { check.ANY }, all_errors = { check.ANY },
    ssl = { secure.CLIENT }, server_hostname = { secure.NAME, nil, false }, session = { check.ANY },
    proxy_protocol = { check.kind("true, 1, 2, table or string", function(value)
      return value == true or value == 1 or value == 2 or type(value) == "table" or type(value) == "string"
    end) },
  }

  -- Says what the PROXY protocol has to say of a connection, before anything else.
  local function introduce(s, option, seconds)
    local holder <close> = internal.holder(s)
    s:settimeout(seconds)
    local ok, err, errno = s:sendall(require "csock.proxyproto.header".of_connection(option, s))
    if not ok then return nil, err, errno end
    return holder:take()
  end

  local function check_ssl_options(options, number)
    for _, name in ipairs { "server_hostname", "session" } do
      if options[name] and not options.ssl then
        check.bad("create_connection", number, ("option '%s' without 'ssl'"):format(name))
      end
    end
  end

  -- create_connection, and what it is connected to: the address, also when the peer is gone already. (Two results of
  -- the public one would get in the way of `table.insert(list, csock.create_connection(...))`.)
  function internal.dial(...)
    local args, options = split_arguments("create_connection", connection_options, ...)
    check_ssl_options(options, args.n + 1)
    local timeout = options.timeout
    if timeout == nil then timeout = csock.getdefaulttimeout() end
    local deadline = timeout and timeout > 0 and csock.now() + timeout

    -- Of a limit never 0, which would mean not to wait and give another error than ETIMEDOUT; nil for none.
    local function left()
      return deadline and math.max(deadline - csock.now(), 1e-9) or timeout or nil
    end

    local infos, err, errno = addresses_of(args, left())
    if not infos then return nil, err, errno end
    local s, errors
    local addresses = {} -- of the sockets that were connected
    local function attempt(info)
      local connected, why = connect_to(info, options.source_address, left())
      if not connected then return nil, why end
      addresses[connected] = info.addr
      return connected
    end
    if internal.current() and #infos > 1 then
      infos = happy.interleave(infos)
      s, errors = happy.connect(infos, attempt)
    else
      errors = {}
      for i, info in ipairs(infos) do
        s, errors[i] = attempt(info)
        if s then break end
      end
    end
    if not s then return combined_error(infos, errors) end
    local address = addresses[s]
    if options.proxy_protocol then
      s, err, errno = introduce(s, options.proxy_protocol, left())
      if not s then return nil, err, errno end
    end
    if options.ssl then
      if options.server_hostname == nil then options.server_hostname = server_name_of(args) end
      s, err, errno = secure.connect(options.ssl, s, options, left())
      if not s then return nil, err, errno end
    end
    s:settimeout(timeout or nil)
    return s, address
  end

  --- Connects to a host by its name or address: looks it up and tries every address in turn. In a task
  -- the tries overlap, and the first that succeeds is taken (Happy Eyeballs, RFC 8305).
  -- Source: Python's `socket.create_connection`.
  -- @function create_connection
  -- @param address `{host, port}` or the two as arguments (a name or a number each), or an address
  -- value
  -- @tparam[opt] table options
  -- @tparam[opt] number options.timeout seconds for the whole call, the look-up, all attempts and the handshake of TLS,
  -- afterwards the socket's timeout (default: the default timeout; false: none)
  -- @param[opt] options.source_address what to bind the socket to
  -- @tparam[opt] boolean options.all_errors for Python's sake: all errors are there anyway
  -- @param[opt] options.ssl the connection is over TLS: a client's context of `csock.ssl`, or true for the default one
  -- @tparam[opt] string options.server_hostname over TLS: the name that is asked for and verified (default: the host;
  -- false: none)
  -- @tparam[opt] SSLSession options.session over TLS: an earlier one, to be taken up again
  -- @param[opt] options.proxy_protocol a header of the PROXY protocol is sent first, before TLS: true or 2 (version 2)
  -- or 1, with the connection's own addresses; a table of fields as for @{csock.proxyproto.header}, in which `source`
  -- and `destination` are those unless given; or its bytes
  -- @treturn[1] socket
  -- @treturn[2] nil
  -- @treturn[2] error the look-up's; or one that names each address and why it failed: its `errors`
  -- are the attempts' errors in order, its `errno` is the last one's; or that of the handshake (its `call` is
  -- "do_handshake"), which is made with the first address that answers, and closes the socket when it fails
  -- @treturn[2] int errno
  -- @usage
  -- local s <close> = assert(csock.create_connection {"localhost", 21567})
  -- s:send "hello"
  -- print(s:recv(100)) --> hello
  M.create_connection = check.public(function(...)
    local s, err, errno = internal.dial(...)
    if s then return s end
    return nil, err, errno
  end)

  -- The family of a server at this address, where it was not said.
  local function family_of(args, options)
    local first = args[1]
    if options.dualstack_ipv6 then return csock.AF_INET6 end
    if type(first) == "userdata" then return first.family end
    return is_ipv6(host_of(args)) and csock.AF_INET6 or csock.AF_INET
  end

  -- What create_server sets on its socket, as {level, name, value} triples.
  local function server_options(family, options)
    local list = {}
    if family ~= csock.AF_UNIX then
      list[1] = { csock.SOL_SOCKET, csock.SO_REUSEADDR, 1 }
      if options.reuse_port then list[2] = { csock.SOL_SOCKET, csock.SO_REUSEPORT, 1 } end
    end
    if family == csock.AF_INET6 and csock.IPV6_V6ONLY then
      list[#list + 1] = { csock.IPPROTO_IPV6, csock.IPV6_V6ONLY, options.dualstack_ipv6 and 0 or 1 }
    end
    return list
  end

  local known_server_options = {
    family = { check.INTEGER }, backlog = { check.INTEGER }, reuse_port = { check.ANY }, dualstack_ipv6 = { check.ANY },
  }

  --- Makes a socket that listens at an address, with `SO_REUSEADDR` set.
  -- Source: Python's `socket.create_server`.
  -- @function create_server
  -- @param address `{host, port}` or the two as arguments, an address value, or a path with
  -- `family = AF_UNIX`; host `""` is any address, port 0 any free one
  -- @tparam[opt] table options
  -- @tparam[opt] int options.family `AF_INET`, `AF_INET6` or `AF_UNIX` (default: `AF_INET6` for an IPv6 address or
  -- `dualstack_ipv6`, else `AF_INET`)
  -- @tparam[opt] int options.backlog how many connections may wait for `accept`
  -- @tparam[opt=false] boolean options.reuse_port several sockets may listen at this address
  -- @tparam[opt=false] boolean options.dualstack_ipv6 accepts IPv4 connections, too
  -- @treturn[1] socket
  -- @treturn[2] nil
  -- @treturn[2] error with the `address`
  -- @treturn[2] int errno
  -- @usage
  -- local listener <close> = assert(csock.create_server {"", 21567})
  -- print(listener:getsockname().port)
  M.create_server = check.public(function(...)
    local args, options = split_arguments("create_server", known_server_options, ...)
    local family = options.family or family_of(args, options)
    if options.dualstack_ipv6 and family ~= csock.AF_INET6 then
      check.fail "create_server: dualstack_ipv6 requires the family AF_INET6"
    end
    if options.dualstack_ipv6 and not csock.has_dualstack_ipv6() then
      check.fail "create_server: dualstack_ipv6 is not supported on this platform"
    end
    if options.reuse_port and not csock.SO_REUSEPORT then
      check.fail "create_server: reuse_port is not supported on this platform"
    end
    local s, err, errno = csock.socket(family, csock.SOCK_STREAM)
    if not s then return nil, err, errno end
    local holder <close> = internal.holder(s)
    local ok
    for _, option in ipairs(server_options(family, options)) do
      ok, err, errno = s:setsockopt(table.unpack(option))
      if not ok then return nil, err, errno end
    end
    ok, err, errno = s:bind(table.unpack(args, 1, args.n))
    if ok then ok, err, errno = s:listen(options.backlog) end
    if not ok then return nil, err, errno end
    return holder:take()
  end)

  --- Whether one socket can accept both IPv4 and IPv6 connections.
  -- Source: Python's `socket.has_dualstack_ipv6`.
  -- @function has_dualstack_ipv6
  -- @treturn boolean
  -- @usage print(csock.has_dualstack_ipv6())
  function M.has_dualstack_ipv6()
    if not (csock.AF_INET6 and csock.IPPROTO_IPV6 and csock.IPV6_V6ONLY) then return false end
    local s <close> = csock.socket(csock.AF_INET6, csock.SOCK_STREAM)
    return s ~= nil and s:setsockopt(csock.IPPROTO_IPV6, csock.IPV6_V6ONLY, 0) == true
  end

  --- The full name of a host, as far as the resolver knows: the first of its names with a dot in it.
  -- Source: Python's `socket.getfqdn`.
  -- @function getfqdn
  -- @tparam[opt=""] string name a name or an address; `""` is this machine
  -- @treturn string the full name; the name itself if there is no better one
  -- @usage print(csock.getfqdn "127.0.0.1")
  function M.getfqdn(name)
    if name == nil then name = "" end
    check.argument(check.STRING, name, 1, "getfqdn")
    name = name:match("^%s*(.-)%s*$")
    if name == "" or name == "0.0.0.0" or name == "::" then name = csock.gethostname() end
    local host, aliases = csock.gethostbyaddr(name)
    if not host then return name end
    if host:find(".", 1, true) then return host end
    for _, alias in ipairs(aliases) do
      if alias:find(".", 1, true) then return alias end
    end
    return host
  end

  return M
end
