-- ftp_get, news_headers and telnet_robot, with servers in processes of their own.
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"

after_each(function()
  keep.close()
  example.stop_all()
end)

-- A server: a program that sets `server`, whose port it tells.
local function serve(code)
  local program = keep(process.lua { "-e", [[
    io.stdout:setvbuf "line"
    local csock = require "csock"
    local server
    ]] .. code .. [[
    print("port " .. server:getsockname().port)
    csock.run()
  ]] })
  program.port = math.tointeger(program:expect "^port (%d+)\n")
  return program
end

describe("examples/ftp_get", function()
  local dir

  before_each(function() dir = assert(posix.mkdtemp()) end)
  after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

  -- A server of a file "big.bin", which breaks off after so many bytes; it prints what it hears.
  local function start(cut)
    return serve(([[
      local options = { cut = %s, verdict = %s }
      local ftpd = require("spec.support.ftpd").serve({ ["pub/big.bin"] = ("0123456789"):rep(30000) }, options)
      server = ftpd.running
      setmetatable(ftpd.heard, { __newindex = function(list, i, line)
        rawset(list, i, line)
        print(line)
      end })
    ]]):format(cut, cut and '"426 cut"' or "nil"))
  end

  local function get(server)
    return example.start("ftp_get", "--to", dir .. "/it", "127.0.0.1", server.port, "pub/big.bin")
  end

  local function content(name)
    local file <close> = io.open(dir .. "/" .. name, "rb")
    return file and file:read "a"
  end

  local WHOLE = ("0123456789"):rep(30000)

  it("fetches a file, and says how far it is", function()
    local program = get(start())
    program:expect "^220 ready\n\r  0 %% of 300000 bytes.*\r100 %% of 300000 bytes\nsaved to [^\n]*/it\n$"
    assert.equal("", program:ends(0))
    assert.same({ WHOLE, nil }, { content "it", content "it.part" })
  end)

  it("goes on where it broke off", function()
    local first = get(start(100000))
    assert.matches("^ftp_get%.lua: [^\n]*426 cut [^\n]*; what has come is in [^\n]*%.part: start it again to go on\n$",
      first:ends(1))
    assert.same({ nil, 100000 }, { content "it", #content "it.part" })
    local server = start()
    local second = get(server)
    second:expect "^220 ready\n100000 of 300000 bytes are here already\n\r 33 %% of.*\r100 %% of 300000 bytes\nsaved"
    assert.equal("", second:ends(0))
    server:expect "REST 100000\n"
    assert.same({ WHOLE, nil }, { content "it", content "it.part" })
  end)

  it("asks for nothing where all has come, and begins again where the file is another one", function()
    for size, text in pairs { [300000] = "300000 of 300000 bytes are here already\n", [300001] = "" } do
      local file <close> = assert(io.open(dir .. "/it.part", "wb"))
      file:write(size == #WHOLE and WHOLE or ("x"):rep(size))
      file:close()
      local program = get(start())
      program:expect("^220 ready\n" .. text .. "\r.*\nsaved")
      program:ends(0)
      assert.equal(WHOLE, content "it")
    end
  end)

  it("logs in by a password", function()
    local server = start()
    local program = example.start("ftp_get", "--user", "jane", "--to", dir .. "/it", "127.0.0.1", server.port,
      "pub/big.bin")
    program:expect "password of jane: $"
    program:type "secret"
    program:expect "saved"
    server:expect "USER jane\nPASS secret\n"
    program:ends(0)
  end)

  it("says in one line what is wrong", function()
    local server = start()
    assert.matches("^ftp_get%.lua: [^\n]*550 no such file[^\n]*\n$",
      example.start("ftp_get", "127.0.0.1", server.port, "none"):ends(1))
    assert.matches("^ftp_get%.lua: 'pub/' is no file\n$",
      example.start("ftp_get", "127.0.0.1", server.port, "pub/"):ends(1))
    assert.matches("^ftp_get%.lua: /no/where%.part: [^\n]*\n$",
      example.start("ftp_get", "--to", "/no/where", "127.0.0.1", server.port, "pub/big.bin"):ends(1))
  end)
end)

describe("examples/news_headers", function()
  local function start(...)
    local able = "101\r\nVERSION 2\r\nREADER\r\nOVER\r\n."
    return keep(scripted.start { "200 hello", { expect = "^CAPABILITIES$" }, able, ... })
  end

  it("prints the newest articles of a group", function()
    local server = start({ expect = "^GROUP a%.b$" }, "211 9 1 9 a.b", { expect = "^LIST OVERVIEW%.FMT$" }, "500 what",
      { expect = "^OVER 8%-9$" },
      "224\r\n8\tRe: =?utf-8?q?caf=C3=A9?=\tann\tdate\t<1@x>\t\t10\t2\r\n9\tbell\7\tbob\tdate\t<2@x>\t\t10\t2\r\n.",
      { expect = "^QUIT$" }, "205 bye")
    local program = example.start("news_headers", "--last", 2, "127.0.0.1", server.port, "a.b")
    program:expect("^a%.b: about 9 articles, from 1 to 9\n       8  ann                             Re: café\n"
      .. "       9  bob                             bell%?\n$")
    assert.equal("", program:ends(0))
  end)

  it("says in one line that there is no such group", function()
    local server = start({ expect = "^GROUP" }, "411 no such group")
    assert.matches("^news_headers%.lua: [^\n]*411 no such group[^\n]*\n$",
      example.start("news_headers", "127.0.0.1", server.port, "a.b"):ends(1))
  end)

  it("says that a group is empty", function()
    local server = start({ expect = "^GROUP" }, "211 0 1 0 a.b", { expect = "^QUIT$" }, "205 bye")
    local program = example.start("news_headers", "127.0.0.1", server.port, "a.b")
    program:expect "^a%.b: about 0 articles, from 1 to 0\n$"
    assert.equal("", program:ends(0))
  end)
end)

describe("examples/telnet_robot", function()
  -- A machine, in whose characters (`character`) or lines one types.
  local function start(character, prompt)
    return serve(([[
      server = assert(require("csock.telnet").serve({ "127.0.0.1", 0 }, function(session)
        session:write "Welcome: be good > here\n"
        local name = session:ask "login: "
        if session:ask_secret "Password: " ~= "secret" then return session:write "Login incorrect\n" end
        while true do
          local line = session:ask(%q)
          if not line or line == "exit" then return print(name .. " has left") end
          session:write(name, " says ", line, "\n\27[2Jwindow ", session.width or "?", "\n")
        end
      end, { character = %s }))
    ]]):format(prompt or "$ ", character))
  end

  for _, character in ipairs { true, false } do
    it("logs in, and prints what a command has said, " .. (character and "echoed" or "in lines"), function()
      local server = start(character)
      local program = example.start("telnet_robot", "--user", "jane", "127.0.0.1", server.port, "who is there")
      program:expect "^password of jane: $"
      program:type "secret"
      program:expect "^jane says who is there\n%?%[2Jwindow 80\n$"
      assert.equal("", program:ends(0))
      server:expect "jane has left\n"
    end)
  end

  it("knows a prompt that it is told", function()
    local server = start(true, "switch:>> ")
    local program = example.start("telnet_robot", "--prompt", "switch:>> ", "127.0.0.1", server.port, "hi")
    program:expect "password of guest: $"
    program:type "secret"
    program:expect "^guest says hi\n"
    assert.equal("", program:ends(0))
  end)

  it("says in one line that the password is wrong, or that the server has gone", function()
    local server = start(true)
    local program = example.start("telnet_robot", "127.0.0.1", server.port)
    program:expect "password of guest: $"
    program:type "wrong"
    assert.equal("telnet_robot.lua: the password is wrong\n", program:ends(1))
    local bad = keep(scripted.start { { send = "hello\r\n", close = true }, { close = true } })
    assert.equal("telnet_robot.lua: the server has closed the connection, instead of a question who logs in\n",
      example.start("telnet_robot", "127.0.0.1", bad.port):ends(1))
  end)
end)
