-- What a beginner types at the prompt of a real `lua5.4 -i`, in a pseudo-terminal, and what comes
-- back.
local process = require "spec.support.process"

-- Something that reads as this in a Lua pattern.
local function plain(text)
  return (text:gsub("%p", "%%%0"))
end

local function exists(path)
  local file = io.open(path)
  return file and file:close()
end

describe("at the prompt", function()
  local started

  before_each(function() started = {} end)

  after_each(function()
    for _, program in ipairs(started) do program:kill() end
  end)

  local Prompt = {}
  Prompt.__index = Prompt

  -- Types a line, and waits for what it prints (a pattern, "" for nothing) and the next prompt.
  -- The line itself comes back too: the terminal shows what is typed.
  function Prompt:enter(line, answer)
    self.program:write(line, "\n")
    local printed = self.program:expect("\n(.-)\r?\n?> $")
    assert.matches("^" .. answer .. "$", (printed:gsub("\r", "")))
    return printed
  end

  local function prompt()
    local environment = { TERM = "dumb", INPUTRC = "/dev/null", -- readline shows what is typed, no more
      LUA_PATH = package.path, LUA_CPATH = package.cpath }
    local program = process.lua({ "-i" }, { pty = true, env = environment })
    table.insert(started, program)
    program:expect("> $")
    local self = setmetatable({ program = program }, Prompt)
    self:enter('csock = require "csock"', "")
    return self
  end

  it("names and services are looked up", function()
    local lua = prompt()
    lua:enter('csock.gethostbyname("localhost")', "127%.0%.0%.1")
    if exists("/etc/services") then lua:enter('csock.getservbyname("http", "tcp")', "80") end
    if exists("/etc/protocols") then lua:enter('csock.getprotobyname("tcp")', "6") end
  end)

  it("addresses and numbers are converted", function()
    local lua = prompt()
    lua:enter([[csock.inet_aton("222.76.216.16") == "\xdeL\xd8\x10"]], "true")
    lua:enter([[csock.inet_ntoa("\xdeL\xd8\x10")]], "222%.76%.216%.16")
    lua:enter('csock.inet_ntoa(csock.inet_aton("222.76.216.16"))', "222%.76%.216%.16")
    local little_endian = string.pack("=I2", 1) == string.pack("<I2", 1)
    lua:enter("csock.htons(20000)", little_endian and "8270" or "20000")
    lua:enter("csock.htonl(20000)", little_endian and "541982720" or "20000")
    lua:enter(("csock.ntohl(%d)"):format(little_endian and 541982720 or 20000), "20000")
  end)

  it("a server at one prompt and a client at another talk", function()
    local server, client = prompt(), prompt()
    server:enter("s = csock.socket()", "")
    server:enter("s", plain "<csock.socket fd=" .. "%d+" .. plain ", family=AF_INET, type=SOCK_STREAM" .. ".*>")
    server:enter('s:bind("127.0.0.1", 0)', "true")
    server:enter("s:listen(1)", "true")
    local port = server:enter("s:getsockname()[2]", "%d+"):match("%d+")

    client:enter("c = csock.socket()", "")
    client:enter(('c:connect("127.0.0.1", %s)'):format(port), "true")
    server:enter("conn, addr = s:accept()", "")
    server:enter("addr", plain "('127.0.0.1', " .. "%d+%)")
    client:enter('c:send("hello")', "5")
    server:enter("conn:recv(1024, csock.MSG_PEEK)", "hello")
    server:enter("conn:recv(1024, csock.MSG_PEEK)", "hello")
    server:enter("conn:recv(1024)", "hello")
    client:enter("c:shutdown(1)", "true")
    server:enter('conn:recv(1024) == ""', "true")
    server:enter('conn:sendall("bye")', "%d*t?r?u?e?")
    client:enter("c:recv(1024)", "bye")
    client:enter("c:shutdown(0)", "true")
    server:enter("conn:shutdown(2)", "true")
    client:enter("c:close()", "true")
    client:enter("c", plain "<csock.socket [closed]" .. ".*>")
    server:enter("conn:close()", "true")
  end)

  it("a refused connection is a readable error", function()
    local lua = prompt()
    lua:enter("s = csock.socket()", "")
    lua:enter('s:bind("127.0.0.1", 0)', "true")
    lua:enter('csock.socket():connect("127.0.0.1", s:getsockname()[2])',
      "nil\tconnect " .. plain "('127.0.0.1', " .. "%d+%): Connection refused %[ECONNREFUSED%]\t111")
  end)

  it("Ctrl-C stops an accept, and the prompt goes on", function()
    local lua = prompt()
    lua:enter('s = csock.create_server{"127.0.0.1", 0}', "")
    -- What it prints shows that it runs: before that, Ctrl-C ends the interpreter itself.
    lua.program:write('print("waiting") s:accept()\n')
    lua.program:expect("\nwaiting\r?\n")
    lua.program:write("\3")
    lua.program:expect("interrupted!.*\n> $")
    lua:enter("1 + 1", "2")
  end)
end)
