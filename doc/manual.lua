--- Gathers the comments that document csock, for LDoc and for the specs.
--
-- The comments stand next to what they are about: in C files as `/***`, in Lua files as `---`. LDoc
-- wants one file for each module, so this writes it: `lua doc/manual.lua DIRECTORY`. On the way a
-- little Markdown becomes HTML (indented code, lists, `code`), which LDoc itself leaves to other
-- programs, and the constants get their pages from csock itself.
local M = {}

-- The pages, in order, and the files that each is made of: by their paths below csrc/ or lua/csock/, without
-- extension. Sections hold the functions of their files; methods go to their object's type.
M.modules = {
  {
    name = "csock",
    sections = {
      {
        "Making sockets",
        "socket/make", "net", "socket/socket", "socket/connect", "socket/transfer", "socket/options", "csock",
      },
      { "Descriptors in messages", "socket/message", "socket/afalg", "stream/sendfile" },
      { "Addresses", "name/address", "name/address_read" },
      { "Names and numbers", "name/netdb", "name/lookup", "name/convert" },
      { "Waiting for several things", "poll/select", "poll/poll", "poll/epoll", "poll/kqueue", "poll/kevent" },
      { "Seeing what goes on", "socket/listing", "socket/tap" },
      { "Buffers and streams", "base/buffer", "stream/life", "stream/read", "stream/write" },
      { "Processes", "loop/fork", "loop/process", "loop/identity", "base/policy", "base/random" },
      { "Errors", "base/error", "constants/constants" },
    },
  },
  {
    name = "csock.loop",
    sections = {
      {
        "Tasks",
        "loop/task_methods", "loop/listing", "loop/inner", "loop/functions", "loop", "loop/queue", "loop/group",
        "loop/signals",
      },
    },
  },
  { name = "csock.wire.headers", sections = { { "Functions", "wire/headers" } } },
  { name = "csock.wire.dates", sections = { { "Functions", "wire/dates" } } },
  { name = "csock.wire.base64", sections = { { "Functions", "wire/base64", "coding/coder" } } },
  { name = "csock.wire.quoted", sections = { { "Functions", "wire/quoted" } } },
  { name = "csock.wire.dots", sections = { { "Functions", "wire/dots" } } },
  { name = "csock.wire.words", sections = { { "Functions", "wire/words" } } },
  {
    name = "csock.email",
    sections = {
      { "Functions", "email" },
      { "Addresses, dates and identifiers", "email/utils" },
      { "Messages", "email/message", "email/content", "email/generate" },
    },
  },
  {
    name = "csock.mailbox",
    sections = { { "Functions", "mailbox", "mailbox/base" }, { "Messages", "mailbox/messages" } },
  },
  { name = "csock.mailcap", sections = { { "Functions", "mailcap" } } },
  {
    name = "csock.http",
    sections = {
      { "Requests", "http", "http/session" },
      { "Connections and answers", "http/connection", "http/response" },
    },
  },
  {
    name = "csock.cookies",
    sections = {
      { "Functions", "cookies" },
      { "A server's", "cookies/simple", "cookies/morsel" },
      { "A client's", "cookies/jar", "cookies/filejar", "cookies/policy" },
    },
  },
  { name = "csock.cgi", sections = { { "Functions", "cgi" }, { "Forms", "cgi/storage" } } },
  {
    name = "csock.xmlrpc",
    sections = {
      { "Values", "xmlrpc", "xmlrpc/values" },
      { "Clients", "xmlrpc/client", "xmlrpc/multicall", "rpc/results" },
      { "Servers", "xmlrpc/server", "xmlrpc/doc", "rpc/dispatcher", "rpc/handler" },
    },
  },
  {
    name = "csock.jsonrpc",
    sections = { { "Values", "jsonrpc" }, { "Clients", "jsonrpc/client" }, { "Servers", "jsonrpc/server" } },
  },
  { name = "csock.happy", sections = { { "Functions", "happy" } } },
  { name = "csock.class", sections = { { "Functions", "class" } } },
  { name = "csock.redis", sections = { { "Functions", "redis", "redis/subscription" } } },
  { name = "csock.redis.resp", sections = { { "Functions", "redis/resp" } } },
  {
    name = "csock.url",
    sections = {
      { "Taking apart and putting together", "url", "url/result" },
      { "Quoting", "url/quote" },
      { "Query strings and forms", "url/query" },
      { "Requests", "url/request" },
    },
  },
  { name = "csock.url.robots", sections = { { "Functions", "url/robots" } } },
  {
    name = "csock.httpserver",
    sections = {
      {
        "Serving by a function",
        "httpserver", "httpserver/serve", "httpserver/request", "httpserver/events", "httpserver/files",
        "httpserver/main",
      },
      { "Python's servers", "httpserver/servers", "httpserver/handlers", "httpserver/simple", "httpserver/cgi" },
    },
  },
  { name = "csock.websocket", sections = { { "Functions", "websocket", "websocket/connection" } } },
  { name = "csock.smtp", sections = { { "Sending mail", "smtp", "smtp/connection", "smtp/commands" } } },
  { name = "csock.smtpd", sections = { { "Taking mail", "smtpd" } } },
  { name = "csock.background", sections = { { "Functions", "background" } } },
  { name = "csock.bytesio", sections = { { "Functions", "bytesio" } } },
  {
    name = "csock.socketserver",
    sections = {
      { "Functions", "socketserver" },
      { "Servers", "socketserver/servers" },
      { "Request handlers", "socketserver/handlers" },
      { "Mix-ins", "socketserver/mixins", "socketserver/prefork" },
    },
  },
  {
    name = "csock.reactor",
    sections = {
      { "Running", "reactor" },
      { "Listening", "reactor/listen" },
      { "Datagrams", "reactor/datagrams" },
      { "Connecting", "reactor/connect" },
      { "Processes", "reactor/spawn", "reactor/process" },
      { "System events", "reactor/events" },
      { "Descriptors", "reactor/descriptors" },
      { "Sockets that are there already", "reactor/adopt" },
      { "Names", "reactor/resolve" },
      { "Timed calls", "reactor/calls" },
      {
        "Ports", "reactor/port", "reactor/datagram_port", "reactor/multicast", "reactor/unix_datagram",
      },
      { "Connectors", "reactor/connector" },
    },
  },
  { name = "csock.reactor.transport", sections = { { "Functions", "reactor/transport", "reactor/tls" } } },
  { name = "csock.reactor.reason", sections = { { "Functions", "reactor/reason" } } },
  {
    name = "csock.protocol",
    sections = {
      { "Protocols", "protocol" },
      { "Receivers", "protocol/receivers", "protocol/stateful" },
      { "Senders", "protocol/file_sender" },
      { "Datagrams", "protocol/datagrams" },
      { "Processes", "protocol/process" },
    },
  },
  {
    name = "csock.policies",
    sections = {
      { "Wrappers", "policies", "policies/wrapper" },
      { "Limits", "policies/limits", "policies/throttling" },
      { "Timeouts", "policies/timeouts" },
      { "Logs", "policies/logging" },
    },
  },
  {
    name = "csock.endpoints",
    sections = {
      { "Functions", "endpoints", "endpoints/strings", "endpoints/tls" },
      { "Endpoints", "endpoints/server", "endpoints/client", "endpoints/process" },
    },
  },
  { name = "csock.reactor.utils", sections = { { "Functions", "reactor/utils" } } },
  {
    name = "csock.proto_helpers",
    sections = {
      { "Protocols", "proto_helpers" }, { "Transports", "proto_helpers/transports" },
      { "Reactors", "proto_helpers/reactors" },
    },
  },
  {
    name = "csock.defer",
    sections = {
      { "Functions", "defer/fired", "defer" },
      { "Deferreds", "defer/deferred" },
      { "Tasks", "defer/tasks" },
      { "Several of them", "defer/lists" },
      { "Queues, semaphores and locks", "defer/queues" },
      { "Failures", "defer/failure" },
    },
  },
  {
    name = "csock.task",
    sections = {
      { "Functions", "task" },
      { "Again and again", "task/looping" },
      { "In small steps", "task/cooperator" },
      { "Clocks", "task/clock" },
    },
  },
  {
    name = "csock.asyncore",
    sections = {
      { "Functions", "asyncore", "asyncore/polling", "asyncore/errors" },
      { "Channels", "asyncore/dispatcher", "asyncore/files" },
    },
  },
  { name = "csock.asynchat", sections = { { "Functions", "asynchat" } } },
  { name = "csock.repl", sections = { { "Prompts", "repl" } } },
  { name = "csock.serve", sections = { { "Serving", "serve" } } },
  {
    name = "csock.service",
    sections = {
      { "With a service manager", "service", "service/notify", "service/activation" },
      { "By oneself", "service/privileges", "service/pidfile", "service/daemonize" },
    },
  },
  {
    name = "csock.proxyproto",
    sections = { { "Functions", "proxyproto", "proxyproto/accept", "proxyproto/parse", "proxyproto/header" } },
  },
  { name = "csock.pop3", sections = { { "Functions", "pop3" } } },
  {
    name = "csock.imap",
    sections = {
      { "Servers", "imap" }, { "Mailboxes", "imap/mailboxes" }, { "Messages", "imap/messages", "imap/idle" },
      { "Values", "imap/parser", "imap/values", "imap/utf7" },
    },
  },
  { name = "csock.nntp", sections = { { "Servers and groups", "nntp" }, { "Articles", "nntp/articles" } } },
  {
    name = "csock.ftp",
    sections = { { "Conversations", "ftp" }, { "Data", "ftp/data", "ftp/transfers", "ftp/listing" } },
  },
  { name = "csock.telnet", sections = { { "Clients", "telnet" }, { "Servers", "telnet/server" } } },
  { name = "csock.gopher", sections = { { "Asking", "gopher", "gopher/reply" }, { "Serving", "gopher/server" } } },
  {
    name = "csock.testing",
    sections = { { "Runs", "testing", "testing/run" }, { "Time", "testing/clock" }, { "Networks", "testing/network" } },
  },
  { name = "csock.help", sections = { { "Functions", "help" } } },
  {
    name = "csock.ssl",
    sections = {
      { "Contexts", "ssl", "tls/context", "tls/material", "tls/names", "tls/session", "tls/store" },
      { "Connections", "tls/transport", "tls/info", "tls/object" },
      { "Certificates", "ssl/certificates" },
    },
  },
}

-- Constants by the beginnings of their names: the longest that fits counts.
M.families = {
  { "Families", "AF_", "PF_" },
  { "Types", "SOCK_" },
  { "Ways to shut down; the longest backlog", "SHUT_", "SOMAXCONN" },
  { "Levels of options", "SOL_" },
  { "Options of every socket", "SO_", "LOCAL_" },
  { "Flags of messages, types of ancillary data", "MSG_", "SCM_" },
  { "Errors and time stamps of packets", "SO_EE_", "SOF_", "SCM_TSTAMP_" },
  { "Events", "POLL", "EPOLL", "PIPE_BUF" },
  { "kqueue", "KQ_" },
  { "Protocols", "IPPROTO_" },
  { "IPv4", "IP_", "INADDR_", "MCAST_" },
  { "IPv6", "IPV6_" },
  { "Ports", "IPPORT_" },
  { "TCP", "TCP_", "TCPI_", "MPTCP_" },
  { "UDP", "UDP_", "UDPLITE_" },
  { "Look-ups", "AI_", "EAI_", "NI_", "NETDB_", "HOST_NOT_FOUND", "NO_", "TRY_AGAIN" },
  { "Waiting for processes", "WNOHANG", "WUNTRACED", "WCONTINUED" },
  { "ioctl", "FIO", "SIOC", "IFF_" },
  { "AF_PACKET", "PACKET_", "ETH_P_" },
  { "AF_NETLINK", "NETLINK_", "NLM_", "NLMSG_", "RTM_", "RTMGRP_" },
  { "AF_CAN", "CAN_", "CANFD_", "J1939_", "SO_J1939_", "SCM_J1939_", "SCM_CAN_" },
  { "AF_ALG", "ALG_" },
  { "AF_TIPC", "TIPC_", "SIOCGETLINKNAME", "SIOCGETNODEID" },
  { "AF_VSOCK", "VMADDR_", "VM_", "SO_VM_", "IOCTL_VM_", "VSOCK_" },
  { "AF_QIPCRTR", "QRTR_" },
  { "AF_BLUETOOTH", "BTPROTO_", "HCI_" },
  { "AF_XDP", "XDP_" },
  { "AF_RDS", "RDS_", "SO_RDS_", "SIOCRDS" },
  { "Errors that Python has here too; all are in `errno`", "EAGAIN", "EBADF", "EWOULDBLOCK" },
}

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

-- The files by their names in M.modules.
local function sources()
  local pipe <close> = assert(io.popen "find csrc lua -name '*.c' -o -name '*.lua' | LC_ALL=C sort")
  local by_name = {}
  for path in pipe:lines() do
    local name = path:gsub("^%w+/", ""):gsub("^csock/", ""):gsub("%.%w+$", "")
    assert(not by_name[name], path .. ": two files of this name")
    by_name[name] = path
  end
  return by_name
end

-- --- reading --------------------------------------------------------------------------------------

-- A comment: its lines, those before the first tag apart from the others; `kind` and `name` of what
-- it documents. `code` is the line after it, which in Lua may say so.
local function parse(lines, code, place)
  local item = { place = place, text = {}, tags = {} }
  local into = item.text
  for _, line in ipairs(lines) do
    local tag, rest = line:match "^@(%w+)%s*(.*)$"
    if tag then into = item.tags end
    if tag == "function" or tag == "type" or tag == "field" or tag == "section" or tag == "module" then
      if not item.kind and not (tag == "field" and #item.text == 0) then
        item.kind, item.name = tag, rest:match "^%S+"
      end
    else
      into[#into + 1] = line
    end
  end
  item.class = code:match '^local [%w_]+ = class%(?"([%a_][%w_]*)"'
  local owner, separator, name = code:match "^function ([%w_]+)([.:])([%w_]+)"
  if not owner then owner, name = code:match "^(%w+)%.([%w_]+) = " end
  if name and not item.name then
    item.kind = "function"
    item.name = separator == ":" and owner:lower() .. ":" .. name or name
  end
  return item
end

-- All comments of a file, in order.
local function comments(path)
  local text, list = read(path), {}
  if path:find "%.c$" then
    for comment in text:gmatch "/%*%*%*\n(.-)\n?%*/" do
      local lines = {}
      for line in (comment .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
      list[#list + 1] = parse(lines, "", path)
    end
    return list
  end
  local lines
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    local begin, more = line:match "^%s*%-%-%- ?([^-].*)$", line:match "^%s*%-%- ?(.*)$"
    if begin and not lines then
      lines = { begin }
    elseif more and lines then
      lines[#lines + 1] = more
    elseif lines then
      list[#list + 1] = parse(lines, line:gsub("^%s+", ""), path)
      lines = nil
    end
  end
  return list
end

--- Everything that is documented.
-- @treturn table a page for each module: `name`, `about` (a comment), `sections` (a list of `title`,
-- `about`, `items`) and `types` (a list of `name`, `about`, `items`)
function M.gather()
  local pages, files = {}, sources()

  local function type_of(page, name)
    for _, known in ipairs(page.types) do
      if known.name == name then return known end
    end
    local new = { name = name, items = {} }
    page.types[#page.types + 1] = new
    return new
  end

  local function add_section(page, title)
    local section = { title = title, items = {} }
    page.sections[#page.sections + 1] = section
    return section
  end

  local function add_file(page, section, path)
    for _, item in ipairs(comments(path)) do
      local object = item.name and item.name:match "^(.-):"
      if item.kind == "module" then -- several files may belong to one: its own one says what it is
        local own = path:find("/" .. page.name:gsub("%.", "/") .. ".lua", 1, true)
        page.about = own and item or page.about or item
      elseif item.kind == "type" then
        local known = type_of(page, item.name)
        known.about, known.section = item, section
      elseif item.kind == "section" then
        section = add_section(page, table.concat(item.text, " "))
      elseif object then
        table.insert(type_of(page, object).items, item)
      elseif item.kind then -- without one it explains a local function
        item.name = item.name:match "[%w_]+$"
        table.insert(section.items, item)
      end
    end
  end

  for i, module in ipairs(M.modules) do
    local page = { name = module.name, sections = {}, types = {} }
    pages[i] = page
    for _, list in ipairs(module.sections) do
      local section = add_section(page, list[1])
      for k = 2, #list do
        local path = assert(files[list[k]], "doc/manual.lua: no file is called " .. list[k])
        add_file(page, section, path)
        files[list[k]] = nil
      end
    end
  end
  for _, path in pairs(files) do
    assert(#comments(path) == 0, path .. ": doc/manual.lua has no place for it")
  end
  return pages
end

-- --- writing --------------------------------------------------------------------------------------

local function escape(text)
  local escapes = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }
  return (text:gsub("[&<>]", escapes))
end

-- Escapes what is not in `backticks`; what is, LDoc escapes.
local function inline(text)
  return (text:gsub("([^`]*)(`?[^`]*`?)", function(outside, code) return escape(outside) .. code end))
end

-- Paragraphs, lists and indented code as HTML. LDoc would indent the lines of code: they are one.
local function to_html(lines)
  local out, list, code = {}, false, {}
  local function put(line) out[#out + 1] = line end
  local function end_code()
    while code[#code] == "" do code[#code] = nil end
    if #code > 0 then
      local text = escape(table.concat(code, "\n")):gsub("[`@\n]", function(c) return ("&#%d;"):format(c:byte()) end)
      put('<pre class="example">' .. text .. "</pre>")
    end
    code = {}
  end
  local text = {}
  local function end_text()
    if #text > 0 then put((#out > 0 and not list and "<p>" or "") .. inline(table.concat(text, "\n"))) end
    text = {}
  end
  local function end_list()
    if list then put "</li></ul>" end
    list = false
  end
  for _, line in ipairs(lines) do
    local item = line:match "^[*-] (.*)"
    if line:find "^    " and (#text == 0 and not list or #code > 0) then
      code[#code + 1] = line:sub(5)
    elseif line:find "^%s*$" then
      if #code > 0 then
        code[#code + 1] = ""
      else
        end_text()
        end_list()
      end
    else
      end_code()
      if line:find "^Source: " then
        end_text()
        end_list()
      end
      if item then
        end_text()
        put(list and "</li><li>" or "<ul><li>")
        list = true
      end
      text[#text + 1] = item or line:gsub("^%s+", "")
    end
  end
  end_text()
  end_code()
  end_list()
  return table.concat(out, "\n")
end

-- One comment as LDoc reads it.
local function write_item(file, item, head)
  local lines = { to_html(item.text) }
  for _, line in ipairs(item.tags) do lines[#lines + 1] = line:find "^@usage" and line or inline(line) end
  lines[#lines + 1] = head
  local text = table.concat(lines, "\n")
  file:write("--- ", (text:gsub("\n", "\n-- ")), "\n\n")
end

local function write_section(file, title, id, about)
  file:write("--- ", title)
  if about then file:write(".\n-- ", (to_html(about.text):gsub("\n", "\n-- "))) end
  file:write "\n"
  file:write("-- @section ", id, "\n\n")
end

-- A table for each family, with the names that csock has here.
local function write_constants(file, csock)
  local family_of = {}
  for name, value in pairs(csock) do
    if math.type(value) == "integer" then
      local best, length = nil, 0
      for i, family in ipairs(M.families) do
        for k = 2, #family do
          if #family[k] > length and name:sub(1, #family[k]) == family[k] then best, length = i, #family[k] end
        end
      end
      best = best or error("doc/manual.lua has no family for " .. name)
      family_of[best] = family_of[best] or {}
      table.insert(family_of[best], name)
    end
  end
  write_section(file, "Constants. Those of this system; on others some are nil.", "constants")
  for i, family in ipairs(M.families) do
    if family_of[i] then
      table.sort(family_of[i])
      file:write("--- ", family[1], ".\n-- <p><code>", table.concat(family_of[i], "</code>, <code>"),
        "</code>\n-- @table ", family[2], "\n\n")
    end
  end
end

-- What says what a type without methods is stands above the functions that it came with: LDoc leaves
-- out a type that has none.
local function about_of(page, section)
  for _, object in ipairs(page.types) do
    if object.section == section and #object.items == 0 then return object.about end
  end
end

local function write_page(file, page)
  write_item(file, page.about, "@module " .. page.name)
  for i, section in ipairs(page.sections) do
    if #section.items > 0 then write_section(file, section.title, "section" .. i, about_of(page, section)) end
    for _, item in ipairs(section.items) do write_item(file, item, "@" .. item.kind .. " " .. item.name) end
  end
  for _, object in ipairs(page.types) do
    write_item(file, assert(object.about, "nothing says what a " .. object.name .. " is"), "@type " .. object.name)
    for _, item in ipairs(object.items) do
      local name = item.kind == "field" and item.name:match ":(.*)" or item.name
      write_item(file, item, "@" .. item.kind .. " " .. name)
    end
  end
end

--- Writes the files that LDoc reads, one for each page.
function M.write(directory)
  for _, page in ipairs(M.gather()) do
    local file <close> = assert(io.open(directory .. "/" .. page.name .. ".lua", "wb"))
    write_page(file, page)
    if page.name == "csock" then write_constants(file, require "csock") end
  end
end

if arg and arg[0] and arg[0]:find "doc/manual%.lua$" then M.write(arg[1]) end

return M
