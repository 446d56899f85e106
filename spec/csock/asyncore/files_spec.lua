-- Channels over pipes, files and terminals.
local csock = require "csock"
local asyncore = require "csock.asyncore"
local channels = require "spec.support.channels"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local LIMIT = channels.LIMIT
local pipe = posix.pipe

describe("a file_dispatcher", function()
  it("reads what comes through a pipe, and is closed at its end", function()
    local reader, writer = pipe()
    local map = {}
    local one = assert(channels.recorder(asyncore.file_dispatcher)(reader, map))
    assert.is_true(one.connected)
    assert.is_true(csock.close(reader)) -- it has a copy
    assert(posix.write(writer, "hi", LIMIT))
    channels.turn_until(map, function() return one.log_text ~= "" end)
    assert.equal("read:hi ", one.log_text)
    csock.close(writer)
    asyncore.loop(LIMIT, false, map)
    assert.equal("read:hi close read: ", one.log_text)
    assert.equal(-1, one.socket:fileno())
  end)

  it("is told of what is left when it reads in small pieces", function()
    local reader, writer = pipe()
    local map = {}
    local one = channels.recorder(asyncore.file_dispatcher, {
      handle_read = function(self) self:note(self:recv(2)) end,
    })(reader, map)
    assert(posix.write(writer, "abcde", LIMIT))
    for _ = 1, 3 do asyncore.poll(LIMIT, map) end
    assert.equal("ab cd e ", one.log_text)
    csock.close(writer)
    asyncore.loop(LIMIT, false, map)
    csock.close(reader)
  end)

  it("does not wait where there is nothing to read, and leaves O_NONBLOCK alone", function()
    local reader, writer = pipe()
    local map = {}
    local flags = table.pack(posix.fd_flags(reader))
    local one = asyncore.file_dispatcher(reader, map)
    local data, err = one:recv(10)
    assert.is_nil(data)
    assert.equal("EAGAIN", err.name)
    assert.same(flags, table.pack(posix.fd_flags(reader)))
    one:close()
    csock.close(reader)
    csock.close(writer)
  end)

  it("writes as much as there is room for", function()
    local reader, writer = pipe()
    local map = {}
    local data = {}
    for i = 1, 30000 do data[i] = ("%08d"):format(i) end
    data = table.concat(data)
    local one = assert(channels.recorder(asyncore.file_dispatcher, {
      at = 1,
      writable = function(self) return self.at <= #data end,
      readable = function() return false end,
      handle_write = function(self)
        local n = self:send(data:sub(self.at))
        self.at = self.at + n
        if self.at > #data then self:close() end
      end,
    })(writer, map))
    csock.close(writer)
    local pieces = {}
    csock.run(function()
      csock.spawn(asyncore.loop, math.huge, false, map)
      local stream <close> = csock.stream(reader, "r")
      stream:settimeout(LIMIT)
      pieces[1] = assert(stream:read "a")
    end)
    assert.is_true(pieces[1] == data)
    assert.is_true(one.closing)
  end)

  it("is told that nobody reads any more", function()
    local reader, writer = pipe()
    csock.close(reader)
    local one = channels.recorder(asyncore.file_dispatcher)(writer, {})
    assert.equal(0, one:send "x")
    assert.equal("close ", one.log_text)
    csock.close(writer)
  end)

  it("takes a Lua file", function()
    local file = assert(io.tmpfile())
    file:write "hello"
    file:flush()
    file:seek "set"
    local map = {}
    local one = assert(channels.recorder(asyncore.file_dispatcher)(file, map))
    asyncore.loop(LIMIT, false, map)
    assert.equal("read:hello close read: ", one.log_text)
    file:close()
  end)

  it("refuses a descriptor that is none", function()
    local one, err, errno = asyncore.file_dispatcher(9999, {})
    assert.is_nil(one)
    assert.equal("EBADF", err.name)
    assert.equal(csock.errno.EBADF, errno)
  end)

  it("reads a program's standard input beside its sockets", function()
    local program <close> = process.lua { "-e", [[
      io.stdout:setvbuf "no"
      local asyncore, class = require "csock.asyncore", require "csock.class"
      local Input = class("Input", asyncore.file_dispatcher)
      function Input:handle_read()
        local data = self:recv(100)
        if data ~= "" then print(#data .. " bytes") end
      end
      function Input:handle_close() print "the end" self:close() end
      assert(Input(io.stdin))
      print "ready"
      asyncore.loop()
    ]] }
    program:expect "ready\n"
    program:write "hello"
    program:expect "5 bytes\n"
    program:close_stdin()
    program:expect "the end\n"
    assert.equal(0, program:wait())
  end)

  it("reads a terminal", function()
    local program <close> = process.lua({ "-e", [[
      local asyncore, class = require "csock.asyncore", require "csock.class"
      local Input = class("Input", asyncore.file_dispatcher)
      function Input:handle_read() print((self:recv(100):upper())) end
      assert(Input(io.stdin))
      print "ready"
      asyncore.loop()
      print "over"
    ]] }, { pty = true })
    program:expect "ready"
    program:write "hello\n"
    program:expect "HELLO"
    program:write "\4"
    program:expect "over"
    assert.equal(0, program:wait())
  end)
end)

describe("a file_wrapper", function()
  it("has Python's methods", function()
    local reader, writer = pipe()
    local input, output = assert(asyncore.file_wrapper(reader)), assert(asyncore.file_wrapper(writer))
    assert.equal(2, output:write "hi")
    assert.equal("hi", input:read(10))
    assert.equal(0, input:getsockopt(csock.SOL_SOCKET, csock.SO_ERROR))
    assert.error_matches(function() input:getsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR) end, "no option")
    assert.is_true(input:fileno() >= 0)
    assert.is_true(input:close())
    assert.equal(-1, input:fileno())
    assert.is_true(input:close())
    output:close()
    csock.close(reader)
    csock.close(writer)
  end)
end)
