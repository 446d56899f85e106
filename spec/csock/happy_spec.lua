local csock = require "csock"
local happy = require "csock.happy"
local internal = require "csock.loop.internal"
local testing = require "csock.testing"

-- Addresses of hosts in the network in which the spec runs, on port 80.
local function infos_of(...)
  local list = {}
  for i, name in ipairs { ... } do
    list[i] = assert(csock.getaddrinfo(name, 80, csock.AF_INET, csock.SOCK_STREAM))[1]
  end
  return list
end

local function attempt(info)
  local holder <close> = internal.holder(assert(csock.socket(info.family))) -- the task may be cancelled
  local ok, err = holder.held:connect(info.addr)
  if not ok then return nil, err end
  return holder:take()
end

-- "good" is where somebody listens, "deaf" answers nobody, at "shut" nobody listens. Nothing may be left behind.
local it = testing.it(it, { virtual_time = true, network = { hosts = { "good", "deaf", "shut" } } })

local function serve(net)
  net:silence "deaf"
  return assert(csock.create_server { "good", 80 })
end

describe("happy eyeballs", function()
  it("lets the families take turns", function()
    local order = {}
    local infos = {}
    for i, family in ipairs { 10, 10, 10, 2, 2 } do infos[i] = { family = family, id = i } end
    for i, info in ipairs(happy.interleave(infos)) do order[i] = info.id end
    assert.same({ 1, 4, 2, 5, 3 }, order)
  end)

  it("takes the next address when the first does not answer in time", function(net)
    local good <close> = serve(net)
    local begin = csock.now()
    local s <close> = assert(happy.connect(infos_of("deaf", "good"), attempt))
    assert.equal(good:getsockname(), s:getpeername())
    assert.near(happy.ATTEMPT_DELAY, csock.now() - begin, 1e-6)
  end)

  it("goes on at once when an address refuses", function(net)
    local good <close> = serve(net)
    local begin = csock.now()
    local s <close> = assert(happy.connect(infos_of("shut", "good"), attempt))
    assert.equal(good:getsockname(), s:getpeername())
    assert.equal(begin, csock.now())
  end)

  it("gives every address's error when none answers", function(net)
    local _ <close> = serve(net)
    local s, errors = happy.connect(infos_of("shut", "deaf"), attempt)
    assert.is_nil(s)
    assert.equal("ECONNREFUSED", errors[1].name)
    assert.equal("ETIMEDOUT", errors[2].name)
  end)

  it("leaves no descriptor of those that lost, or of a task that is cancelled meanwhile", function(net)
    local _ <close> = serve(net)
    happy.connect(infos_of("deaf", "good"), attempt):close()
    local task = csock.spawn(function() return happy.connect(infos_of("deaf", "deaf"), attempt) end)
    csock.sleep(10)
    assert.equal("waiting", task:status())
    assert.is_true(task:cancel())
  end)

  it("raises what an attempt raises, such as a wrong argument", function()
    local infos = infos_of("shut", "shut")
    local ok, message = pcall(happy.connect, infos, function() error("no such source", 0) end)
    assert.same({ false, "no such source" }, { ok, message })
    -- No host: both loopback addresses.
    ok, message = pcall(csock.create_connection, { nil, 1 }, { source_address = 5 })
    assert.is_false(ok)
    assert.matches("host: string expected", message)
  end)

  it("connects to localhost by name in a task", function()
    local server <close> = assert(csock.create_server { "127.0.0.1", 80 })
    local s <close> = assert(csock.create_connection { "localhost", 80 })
    assert.equal(server:getsockname(), s:getpeername())
  end)
end)
