-- What `csock.help` tells, and that it knows every name that there is.
local csock = require "csock"
local class = require "csock.class"
local help = require "csock.help"
local manual = require "doc.manual"
local objects = require "spec.support.objects"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

-- What `f` prints.
local function printed(f, ...)
  local lines, real = {}, print
  _G.print = function(text) lines[#lines + 1] = text end
  local ok, err = pcall(f, ...)
  _G.print = real
  assert(ok, err)
  return table.concat(lines, "\n")
end

local function first_line(x) return (assert(help.text(x)):match "^[^\n]*") end

local function load_from(path, content)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(content))
  file:close()
  return assert(loadfile(path))
end

describe("help's text", function()
  it("is up to date with the comments of the sources", function()
    assert(tree.read "lua/csock/help/data.lua" == require("doc.help").generate(), "run make")
  end)

  it("knows every name of the manual", function()
    local missing = {}
    for _, page in ipairs(manual.gather()) do
      local function look(name)
        if not help.text(name) then missing[#missing + 1] = name end
      end
      look(page.name)
      for _, section in ipairs(page.sections) do
        for _, item in ipairs(section.items) do
          local is_call = page.name:match "[^.]+$" == item.name -- of the module itself
          look(is_call and page.name or page.name .. "." .. item.name)
        end
      end
      for _, object in ipairs(page.types) do
        for _, item in ipairs(object.items) do look(item.name) end
      end
    end
    assert.same({}, missing)
  end)

  it("of a function has its signature, arguments, results, errors and source", function()
    local text = help.text(csock.socket)
    assert.matches("^csock%.socket%(%[family%[, type%[, proto%[, options%]%]%]%]%)\n\nMakes a socket%.", text)
    assert.matches("\nArguments:\n  family %(int, default AF_INET%): AF_%*\n", text)
    assert.matches("\n    fileno %(int, optional%): an open descriptor", text)
    assert.matches("\nResults:\n  socket\n  or nil, error, errno %(EMFILE", text)
    assert.matches("\nSource: socket%(2%), Python's socket.socket", text)
  end)

  it("of a function has its example", function()
    assert.matches("\nExample:\n  local a, b", help.text(csock.socketpair))
  end)

  it("says what a function raises", function()
    assert.matches("\nRaises: when the process was stopped", help.text(csock.waitstatus_to_exitcode))
  end)

  it("shows an optional argument in the middle", function()
    assert.equal("socket:sendto(data[, flags], address)", first_line "socket:sendto")
  end)

  it("has the first paragraph alone, unless all is asked for", function()
    assert.is_nil(help.text("socket:getsockopt"):find("TCP_CONGESTION", 1, true))
    local text = help.text("socket:getsockopt", { long = true })
    assert.matches("\n    local name = s:getsockopt%(csock%.IPPROTO_TCP, csock%.TCP_CONGESTION, 16%)", text)
  end)

  it("keeps to the columns", function()
    for _, name in ipairs(help.names()) do
      for line in (help.text(name, { columns = 60 }) .. "\n"):gmatch "([^\n]*)\n" do
        -- Code, headings and single words may be longer.
        local is_text = not line:find "^    " and not line:find "^  [%w_.]+[:(=]" and line:find "%s%S+%s"
        local is_heading = line:sub(1, #name + 2) == name .. ": "
        if is_text and not is_heading and not line:find "[=(<\"'/]" then assert(#line <= 60, name .. ": " .. line) end
      end
    end
  end)

  it("has no marks of the manual in it", function()
    assert.is_nil(help.text("csock.socket"):find "`")
    assert.is_nil(help.text("csock.http.request", { long = true }):find "`")
    assert.is_nil(help.text("csock.http.request", { long = true }):find("@{", 1, true))
  end)
end)

describe("help finds", function()
  it("methods by their values", function()
    local a <close> = assert(csock.socket())
    assert.equal("socket:sendall(data[, flags])", first_line(a.sendall))
    assert.equal("socket:recv(size[, flags])", first_line(a.recv))
    local stream <close> = a:makefile()
    assert.equal("stream:readline([limit])", first_line(stream.readline))
    assert.equal("TCPServer:get_request()", first_line(require("csock.socketserver").TCPServer.get_request))
    assert.equal("queue:put(value[, timeout])", first_line(csock.loop.queue().put):gsub("^Q", "q"))
  end)

  it("modules and classes by their tables", function()
    assert.equal('csock.loop: a module (require "csock.loop")', first_line(csock.loop))
    assert.equal("SplitResult: a type of csock.url", first_line(require("csock.url").urlsplit "http://a"))
    assert.equal("LineReceiver: a type of csock.protocol", first_line(require("csock.protocol").LineReceiver))
    assert.equal("csock.gaierror", first_line(csock.gaierror))
    local text = help.text(require("csock.http").HTTPConnection)
    assert.matches("\n\nHTTPConnection%(host%[, port%[, options%]%]%)\n\nMade by calling the class", text)
  end)

  it("a server's class, and what it has from its parents", function()
    local text = help.text(require("csock.socketserver").ThreadingTCPServer)
    assert.matches("^csock%.socketserver%.ThreadingTCPServer\n", text)
    assert.matches("\nFrom ThreadingMixIn:\n  ThreadingMixIn:daemon_threads ", text)
    assert.matches("\nFrom BaseServer:\n.*BaseServer:serve_forever%(%[poll_interval%]%) ", text)
  end)

  it("the type of an object, with all that it has", function()
    local list, close = objects()
    local wrong = {}
    -- A socket has the methods of those over TLS; of BytesIO the module is the class.
    local other = { SSLSocket = "socket", bytesio = "csock.bytesio", stringreceiver = "NetstringReceiver" }
    for _, page in ipairs(manual.gather()) do
      for _, object in ipairs(page.types) do
        local value = list[object.name]
        local line = value and first_line(value):lower()
        local wanted = (other[object.name] or object.name):lower()
        if line and line:find(wanted, 1, true) ~= 1 then wrong[#wrong + 1] = object.name .. ": " .. line end
      end
    end
    close()
    table.sort(wrong)
    assert.same({}, wrong)
  end)

  it("the class of an object whose own class is the program's", function()
    local Echo = class("Echo", require("csock.protocol").LineReceiver)
    assert.equal("LineReceiver: a type of csock.protocol", first_line(Echo()))
  end)

  it("names, whole or short, with a dot for a colon, in any case", function()
    for name, wanted in pairs {
      ["csock.create_server"] = "csock.create_server(address[, options])",
      create_server = "csock.create_server(address[, options])",
      ["http.get"] = "csock.http.get(url[, options])",
      ["csock.spawn"] = "csock.loop.spawn(f, ...)",
      ["csock.serve"] = 'csock.serve: a module (require "csock.serve")',
      recv = "socket:recv(size[, flags])",
      ["socket.recv"] = "socket:recv(size[, flags])",
      ["streamrequesthandler:setup"] = "StreamRequestHandler:setup()",
      ["csock.AF_INET"] = "csock.AF_INET = " .. csock.AF_INET,
      AF_UNIX = "csock.AF_UNIX = " .. csock.AF_UNIX,
    } do
      assert.equal(wanted, first_line(name))
    end
  end)

  it("others of a short name", function()
    assert.matches("\nSee also: .*dispatcher:recv", help.text "recv")
  end)

  it("words in texts", function()
    local text = help.text "certificate"
    assert.matches("\n  SSLContext:load_cert_chain%(certfile", text)
    assert.matches("\n  SSLSocket:getpeercert%(", text)
  end)

  it("nothing for what is not csock's", function()
    assert.is_nil(help.text(42))
    assert.is_nil(help.text {})
    assert.is_nil(help.text "no such word")
    assert.equal("nothing is known of 42", printed(help, 42))
  end)
end)

describe("help", function()
  it("prints by the program's print", function()
    assert.matches("^csock%.select%(rlist, wlist, xlist%[, timeout%]%)", printed(help, csock.select))
  end)

  it("prints by another function", function()
    local text
    local other = help.with(function(said) text = said end)
    other "csock.getpid"
    assert.matches("^csock%.getpid%(%)\n", text)
    assert.equal("csock.fork()", other.signature "fork")
  end)

  it("tells of what was typed at csock's prompt, and is known there", function()
    local session, said = require "csock.repl.session", {}
    local own = session.new { out = function(text) said[#said + 1] = text end, columns = function() return 80 end }
    own.own.print = function(text) said[#said + 1] = text end
    csock.run(function()
      own:run "-- Doubles.\nfunction twice(n) return 2 * n end"
      own:run "-- Doubles, anew.\nfunction twice(m) return 2 * m end"
      own:run "help(twice)"
    end)
    assert.matches("twice%(m%)\n\nDoubles, anew%.\n", table.concat(said))
    rawset(_G, "twice", nil)
  end)

  it("tells of all modules without an argument", function()
    local text = printed(help)
    assert.matches("\n  csock%.loop  +The event loop: tasks", text)
    assert.matches("\n  csock%.ssl  ", text)
    for line in text:gmatch "[^\n]+" do assert(#line <= 80, line) end
  end)

  it("loads its data with the first question", function()
    local status, out, err = process.run { process.interpreter, "-e", [[
      local help = require "csock.help"
      print(package.loaded["csock.help.data"] == nil, package.loaded.csock == nil)
      print(help.signature "csock.fork")
    ]] }
    assert.equal("", err)
    assert.equal("true\ttrue\ncsock.fork()\n", out)
    assert.equal(0, status)
  end)
end)

describe("help of a program's own functions", function()
  local dir
  setup(function() dir = assert(posix.mkdtemp()) end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  it("is the comment above them, and their parameters", function()
    local path = dir .. "/own.lua"
    local source = "-- no\n\n-- Answers\n-- a request.\nlocal function handle(conn, ...) end\nreturn handle"
    local f = load_from(path, source)()
    local text = help.text(f)
    assert.matches("^handle%(conn, %.%.%.%)\n\nAnswers\na request%.\n\n", text)
    assert.matches("own%.lua:5$", text)
    assert.equal("handle(conn, ...)", help.signature(f))
  end)

  it("is a long comment, too", function()
    local source = "local M = {}\n--[[ Adds.\n  Twice. ]]\nM.add = function(a) end\nreturn M.add"
    local f = load_from(dir .. "/long.lua", source)()
    assert.matches("^M%.add%(a%)\n\nAdds%.\nTwice%.\n\n", help.text(f))
  end)

  it("is for code that was typed, which is its chunk's name", function()
    local f = assert(load "-- Doubles.\nfunction twice(n) return 2 * n end\nreturn twice")()
    assert.matches("^twice%(n%)\n\nDoubles%.\n\n", help.text(f))
    rawset(_G, "twice", nil)
  end)

  it("is the signature alone where the file has changed or is gone", function()
    local path = dir .. "/changed.lua"
    local f = load_from(path, "-- Old.\nreturn function(a, b) end")()
    load_from(path, "-- Something else.\nlocal x = 1")
    assert.matches("^function%(a, b%)\n\n[^\n]*changed%.lua:2$", help.text(f))
    os.remove(path)
    assert.matches("^function%(a, b%)\n\n[^\n]*changed%.lua:2$", help.text(f))
  end)

  it("says that a function is C's", function() assert.equal("a function in C", help.text(print)) end)
end)

describe("help for completion", function()
  it("has the options of a function, those of others that it takes, too", function()
    local options = help.options "csock.serve"
    assert.matches("how many are served at once", options.max_connections)
    assert.matches("how many connections may wait", options.backlog)
    assert.matches("a script", help.options("repl.start").file)
    assert.is_string(help.options("s.makefile").limit)
  end)

  it("leaves out what a session's requests alone have", function()
    local options = help.options "http.Session"
    assert.is_string(options.timeout)
    assert.is_string(options.max_idle)
    assert.is_nil(options.json)
  end)

  it("has none for a function without options", function()
    assert.is_nil(help.options "csock.getpid")
    assert.is_nil(help.options "no.such.function")
  end)

  it("has all names", function()
    local known = {}
    for _, name in ipairs(help.names()) do known[name] = true end
    for _, name in ipairs { "csock", "csock.socket", "socket:recv", "socket", "csock.http.get", "csock.AF_INET" } do
      assert.is_true(known[name], name)
    end
  end)

  it("has signatures", function()
    assert.equal("csock.create_server(address[, options])", help.signature "create_server")
    assert.equal("csock.serve(address, handler[, options])", help.signature "csock.serve")
    assert.is_nil(help.signature "csock.errno")
  end)
end)
