local csock = require "csock"
local happy = require "csock.happy"
local posix = require "spec.support.posix"
local loop = csock.loop

-- A listener that answers nobody: its backlog is full, so that connects to it stay under way.
local function deaf_listener()
  local listener = assert(csock.socket())
  assert(listener:bind("127.0.0.1", 0))
  assert(listener:listen(0))
  local fillers = {}
  for i = 1, 8 do
    fillers[i] = assert(csock.socket())
    fillers[i]:settimeout(0)
    fillers[i]:connect(listener:getsockname())
  end
  return listener, fillers
end

local function info_of(listener)
  return { family = listener.family, type = csock.SOCK_STREAM, proto = 0, addr = listener:getsockname() }
end

local function attempt(info)
  local s = assert(csock.socket(info.family))
  local ok, err = s:connect(info.addr)
  if ok then return s end
  s:close()
  return nil, err
end

local function open_descriptors()
  collectgarbage()
  return #posix.fds()
end

describe("happy eyeballs", function()
  it("lets the families take turns", function()
    local order = {}
    local infos = {}
    for i, family in ipairs { 10, 10, 10, 2, 2 } do infos[i] = { family = family, id = i } end
    for i, info in ipairs(happy.interleave(infos)) do order[i] = info.id end
    assert.same({ 1, 4, 2, 5, 3 }, order)
  end)

  it("takes the next address when the first does not answer in time", function()
    local deaf, fillers = deaf_listener()
    local good <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local s, peer = csock.run(function()
      local s = happy.connect({ info_of(deaf), info_of(good) }, attempt)
      return s, s and s:getpeername()
    end)
    assert.equal(good:getsockname(), peer)
    s:close()
    deaf:close()
    for _, filler in ipairs(fillers) do filler:close() end
  end)

  it("goes on at once when an address refuses", function()
    local refused = assert(csock.create_server { "127.0.0.1", 0 })
    local info = info_of(refused)
    refused:close()
    local good <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local delay = happy.ATTEMPT_DELAY
    happy.ATTEMPT_DELAY = 60 -- would show
    local s <close> = csock.run(function() return (happy.connect({ info, info_of(good) }, attempt)) end)
    happy.ATTEMPT_DELAY = delay
    assert.equal(good:getsockname(), s:getpeername())
  end)

  it("gives every address's error when none answers", function()
    local refused = assert(csock.create_server { "127.0.0.1", 0 })
    local info = info_of(refused)
    refused:close()
    local s, errors = csock.run(function() return happy.connect({ info, info }, attempt) end)
    assert.is_nil(s)
    assert.equal("ECONNREFUSED", errors[1].name)
    assert.equal("ECONNREFUSED", errors[2].name)
  end)

  it("leaves no descriptor of those that lost, or of a task that is cancelled meanwhile", function()
    local deaf, fillers = deaf_listener()
    local before = open_descriptors()
    local task = csock.spawn(function() return happy.connect({ info_of(deaf), info_of(deaf) }, attempt) end)
    loop.timeout(0.05, csock.sleep, 10)
    assert.equal("waiting", task:status())
    assert.is_true(task:cancel())
    loop.step()
    assert.equal(before, open_descriptors())
    deaf:close()
    for _, filler in ipairs(fillers) do filler:close() end
  end)

  it("raises what an attempt raises, such as a wrong argument", function()
    local info = { addr = csock.address(csock.AF_INET, "127.0.0.1", 1) }
    local ok, message = csock.run(function()
      return pcall(happy.connect, { info, info }, function() error("no such source", 0) end)
    end)
    assert.same({ false, "no such source" }, { ok, message })
    ok, message = csock.run(function() -- no host: both loopback addresses
      return pcall(csock.create_connection, { nil, 1 }, { source_address = 5 })
    end)
    assert.is_false(ok)
    assert.matches("host: string expected", message)
  end)

  it("connects to localhost by name in a task", function()
    local server <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local s <close> = assert(csock.run(function()
      return csock.create_connection { "localhost", server:getsockname().port }
    end))
    assert.equal(server:getsockname(), s:getpeername())
  end)
end)
