-- Tables of options, as the functions in C read them.
local csock = require "csock"
local keep = require "spec.support.keep"

-- What each function says of the options that it does not know, or does not like.
local function said(f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  return err
end

local pair = csock.socketpair

describe("a table of options", function()
  after_each(keep.close)

  it("raises for an option that there is not, with its name and the function's", function()
    local s = keep((pair()))
    assert.matches("bad argument #1 to 'socket' %(unknown option 'backlog'%)", said(function()
      csock.socket { backlog = csock.AF_INET6 }
    end))
    assert.matches("bad argument #3 to 'getaddrinfo' %(unknown option 'famly'%)", said(function()
      csock.getaddrinfo("127.0.0.1", 80, { famly = csock.AF_INET6 })
    end))
    assert.matches("bad argument #2 to 'stream' %(unknown option 'closefds'%)", said(function()
      csock.stream(0, { closefds = false })
    end))
    assert.matches("bad argument #1 to 'address' %(unknown option 'prot'%)", said(function()
      csock.address { raw = ("\0"):rep(16), prot = 1 }
    end))
    if s.sendmsg_afalg then
      assert.matches("bad argument #1 to 'sendmsg_afalg' %(unknown option 'vi'%)", said(function()
        s:sendmsg_afalg { op = 0, vi = "x" }
      end))
    end
  end)

  it("raises for a name that is no string, or that begins as one that there is", function()
    assert.matches("unknown option '1'", said(csock.socket, { 3 }))
    assert.matches("unknown option 'fileno", said(csock.socket, { ["fileno\0x"] = 3 }))
  end)

  it("raises for a value of another type, and out of range", function()
    for words, options in pairs {
      ["family: integer expected, got string"] = { family = "2" },
      ["family: integer expected, got 1.5"] = { family = 1.5 },
      ["family: integer from 0 to 65535 expected, got %-1"] = { family = -1 },
      ["type: integer >= 0 expected, got %-3"] = { type = -3 },
      ["SOCK_%* expected"] = { type = 1 << 20 },
      ["fileno: integer expected, got boolean"] = { fileno = true },
      ["fileno: negative file descriptor"] = { fileno = -1 },
    } do
      assert.matches(words, said(csock.socket, options))
    end
  end)

  it("says of a time what it says of one that is an argument", function()
    for _, bad in ipairs { -1, 0 / 0, "1", {} } do
      local words = "seconds >= 0 expected, got " .. (type(bad) == "number" and "%-?[%dn]" or type(bad))
      assert.matches(words, said(csock.setdefaulttimeout, bad))
      assert.matches("timeout: " .. words, said(csock.getaddrinfo, "127.0.0.1", 80, { timeout = bad }))
    end
  end)

  it("turns an option off with false", function()
    local fd = assert(csock.dup(0))
    csock.stream(fd, { closefd = false }):close()
    assert.is_true(csock.close(fd))
    assert.equal(csock.AF_INET, keep(csock.socket { fileno = false, family = false, type = false }).family)
    assert.is_table(csock.getaddrinfo("127.0.0.1", 80, { timeout = false, type = false }))
  end)

  it("has the arguments by their names", function()
    local s = keep(csock.socket { family = csock.AF_INET6, type = csock.SOCK_DGRAM, proto = csock.IPPROTO_UDP })
    assert.same({ csock.AF_INET6, csock.SOCK_DGRAM, csock.IPPROTO_UDP }, { s.family, s.type, s.proto })
    assert.equal(csock.AF_INET6, keep(csock.socket(nil, csock.SOCK_STREAM, { family = csock.AF_INET6 })).family)
  end)
end)
