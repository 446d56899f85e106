-- Every name of Python's socket and select, and of the objects that they make.
local csock = require "csock"
local tree = require "spec.support.tree"

-- Python's modules and classes; an epoll object's class has a name of its own, `fromfd`.
local function places()
  local socket = assert(csock.socket(csock.AF_INET, csock.SOCK_STREAM))
  socket:settimeout(1.5) -- without it, `timeout` is nil
  local epoll = assert(csock.epoll())
  return {
    ["socket"] = { csock }, ["socket.socket"] = { socket },
    ["select"] = { csock }, ["select.poll"] = { csock.poll() }, ["select.epoll"] = { epoll, csock.epoll },
  }, function()
    socket:close()
    epoll:close()
  end
end

describe("the names of Python's socket and select", function()
  it("are all there", function()
    local objects, close = places()
    local missing, count = {}, 0
    for place, name in tree.read "spec/data/python_names.tsv":gmatch "([%a.]+)\t([%w_]+)\n" do
      local found = place:find "^socketserver" ~= nil -- a module of its own
      if not found then count = count + 1 end
      for _, object in ipairs(objects[place] or {}) do found = found or object[name] ~= nil end
      if not found then missing[#missing + 1] = place .. "." .. name end
    end
    close()
    assert.same({}, missing)
    assert.equal(93, count)
  end)

  it("show a socket's family, type, protocol and timeout", function()
    local s <close> = assert(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM, 0))
    assert.equal(csock.AF_UNIX, s.family)
    assert.equal(csock.SOCK_DGRAM, s.type)
    assert.equal(0, s.proto)
    assert.is_nil(s.timeout)
    s:settimeout(2.5)
    assert.equal(2.5, s.timeout)
    assert.equal(csock.AF_UNIX, s.family)
    assert.equal(csock.SOCK_DGRAM, s.type)
    s:settimeout(nil)
    assert.is_nil(s.timeout)
  end)
end)
