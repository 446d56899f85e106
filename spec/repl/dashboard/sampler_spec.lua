-- What the dashboard's page gets once a second.
local csock = require "csock"
local sampler = require "csock.repl.dashboard.sampler"
local loop = csock.loop

local SUMS = { "received", "sent", "accepted", "late", "memory", "sockets", "tasks" }

-- The sums of a sample by their names, and its lines of sockets and tasks, each a sequence of fields.
local function parse(text)
  local rows = { s = {}, t = {} }
  local first, rest = text:match "^([^\n]*)\n?(.*)$"
  local sums, i = {}, 0
  for field in (first .. "\t"):gmatch "([^\t]*)\t" do
    i = i + 1
    sums[SUMS[i]] = assert(tonumber(field))
  end
  for line in rest:gmatch "[^\n]+" do
    local fields = {}
    for field in (line .. "\t"):gmatch "([^\t]*)\t" do fields[#fields + 1] = field end
    table.insert(rows[table.remove(fields, 1)], fields)
  end
  return sums, rows.s, rows.t
end

describe("csock.repl.dashboard.sampler", function()
  local before
  before_each(function() before = csock.debug(true) end)
  after_each(function() csock.debug(before) end)

  it("tells of sockets and tasks", function()
    csock.run(function()
      local a, b = csock.socketpair()
      local c, d = csock.socketpair()
      local waits <close> = csock.spawn(function() return d:recv(1) end):set_name "a\tname\nof lines"
      local viewer <close> = sampler.view()
      viewer:next()
      for _ = 1, 10 do a:send "hello" end
      b:recv(100)
      local sums, sockets, tasks = parse(viewer:next())
      assert.equal(sums.sockets, #sockets)
      assert.equal(sums.tasks, #tasks)
      local sent = {}
      for _, row in ipairs(sockets) do
        assert.equal(13, #row)
        sent[row[9]] = true
      end
      assert.is_true(sent["50"])
      local found
      for _, row in ipairs(tasks) do
        assert.equal(7, #row)
        if row[2] == "a name of lines" then found = row end
      end
      assert.same({ "recv", "socket" }, { found[4], found[5]:match "^%a+" })
      for _, s in ipairs { a, b, c, d } do s:close() end
      assert(waits)
    end)
  end)

  it("shows the busiest of many sockets", function()
    csock.run(function()
      local all = {}
      for i = 1, 120, 2 do all[i], all[i + 1] = csock.socketpair() end
      local viewer <close> = sampler.view()
      viewer:next()
      all[120]:send "hello"
      local sums, sockets = parse(viewer:next())
      assert(sums.sockets >= 120)
      assert.equal(100, #sockets)
      assert.equal("5", sockets[100][9])
      for _, s in ipairs(all) do s:close() end
    end)
  end)

  it("gives rates, of connections that are closed already, too", function()
    csock.run(function()
      local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
      local viewer <close> = sampler.view()
      viewer:next()
      for _ = 1, 20 do
        local a <close> = assert(csock.create_connection(listener:getsockname()))
        local b <close> = assert(listener:accept())
        b:sendall "hello"
        a:recv(5)
      end
      local began = loop.now()
      local sums = parse(viewer:next())
      local longest = loop.now() - began + 1
      assert(sums.accepted <= 20 and sums.accepted >= 20 / (longest + 1), sums.accepted)
      assert(sums.sent <= 100 and sums.sent >= 100 / (longest + 1), sums.sent)
    end)
  end)

  it("tells how late the loop was", function()
    csock.run(function()
      local viewer <close> = sampler.view()
      viewer:next()
      local deadline = csock.now() + 0.2
      loop.sleep(0.06)
      while csock.now() < deadline do end
      assert.is_true(parse(viewer:next()).late >= 50)
    end)
  end)

  it("goes on where a task waits for something whose class cannot say what it is", function()
    csock.run(function()
      local a, b = csock.socketpair()
      local bad = setmetatable({ a }, { __tostring = function() error "no" end })
      local waits <close> = csock.spawn(csock.select, bad):set_name "selects"
      local viewer <close> = sampler.view()
      viewer:next()
      local _, _, tasks = parse(viewer:next())
      local found
      for _, row in ipairs(tasks) do found = found or row[2] == "selects" and row end
      assert.equal("?", found[5])
      b:send "."
      waits:join()
      a:close()
      b:close()
    end)
  end)

  it("shows each viewer each sample, and the first one at once to who comes later", function()
    csock.run(function()
      local one <close> = sampler.view()
      local text = one:next()
      local two <close> = sampler.view()
      assert.equal(text, two:next())
      local next_one = csock.spawn(one.next, one)
      local next_two = two:next()
      assert.equal(select(2, next_one:join()) or next_two, next_two)
    end)
  end)

  it("has ended when nobody looks, and begins again", function()
    csock.run(function()
      local function running()
        local n = 0
        for _, row in ipairs(loop.tasks()) do
          if row.name and row.name:find "^dashboard" then n = n + 1 end
        end
        return n
      end
      local viewer = sampler.view()
      viewer:next()
      assert.equal(2, running())
      viewer:close()
      viewer:close()
      local deadline = csock.now() + 20
      while running() > 0 and csock.now() < deadline do csock.sleep(0.05) end
      assert.equal(0, running())
      local again <close> = sampler.view()
      again:next()
      assert.equal(2, running())
    end)
  end)
end)
