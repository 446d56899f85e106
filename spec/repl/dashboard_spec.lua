-- The dashboard: its page in a real browser, and who gets it.
local browser = require "spec.support.browser"
local csock = require "csock"
local http = require "csock.http"
local process = require "spec.support.process"

-- A server with some clients, which send all the time, and the dashboard.
local APP = [[
  io.stdout:setvbuf "line"
  csock = require "csock"
  csock.debug(true)
  local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
    for data in function() return conn:recv(1000) end do
      if data == "" then return end
      conn:sendall(data)
    end
  end))
  for i = 1, 4 do
    csock.spawn(function()
      local conn <close> = assert(csock.create_connection(server:getsockname()))
      while conn:sendall "hello <b>you</b>" and conn:recv(1000) ~= "" do
        csock.sleep(0.02 + math.random() / 20)
      end
      print("client " .. i .. " has ended")
    end):set_name("client " .. i)
  end
  csock.spawn(csock.sleep, 1000):set_name "<img src=x onerror=document.title='run'>"
  local dashboard, address = require "csock.repl.dashboard".start(0)
  print(address)
  csock.spawn(function()
    for line in assert(csock.stream(0, "r", { closefd = false })):lines() do
      if line == "tasks" then
        local names = {}
        for _, row in ipairs(csock.loop.tasks()) do names[#names + 1] = row.name end
        table.sort(names)
        print("tasks: " .. table.concat(names, ", "))
      elseif line == "dashboard" then
        dashboard:close { drain = 0 }
        print "closed"
      end
    end
  end)
  csock.run()
]]

describe("the dashboard", function()
  local app, address, root

  setup(function()
    app = process.lua { "-e", APP }
    address = app:read_line()
    root = address:match "^http://[^/]+"
  end)

  teardown(function() app:kill() end)

  local function status(method, url, headers)
    return assert(http.request(method, url, { headers = headers })).status
  end

  it("is for those alone who know its address", function()
    assert.equal(200, status("GET", address))
    assert.equal(404, status("GET", root .. "/"))
    assert.equal(404, status("GET", root .. "/" .. ("0"):rep(32) .. "/"))
    assert.equal(404, status("GET", address .. "nothing"))
    assert.equal(404, status("POST", root .. "/close?id=1"))
    assert.equal(404, status("GET", address .. "close?id=1"))
  end)

  it("is only given under a name of this machine", function()
    assert.equal(403, status("GET", address, { Host = "example.com" }))
    assert.equal(403, status("GET", address, { Host = "localhost.example.com:80" }))
    assert.equal(200, status("GET", address, { Host = "localhost:80" }))
  end)

  it("refuses what is no number of a socket", function()
    for _, id in ipairs { "", "x", "-1", "1e3", "999999", ("9"):rep(30) } do
      assert.equal(404, status("POST", address .. "close?id=" .. id))
      assert.equal(404, status("GET", address .. "trace?id=" .. id))
    end
  end)

  it("allows its page nothing from elsewhere", function()
    local response = assert(http.get(address))
    local policy = response.headers["content-security-policy"]
    assert.matches("default%-src 'none'", policy)
    assert.is_nil(policy:find("unsafe", 1, true))
    assert.is_nil(response.body:find("https?://"))
    assert.is_nil(response.body:find("NONCE", 1, true))
  end)

  it("costs nothing while nobody looks", function()
    local looks <close> = assert(http.get(address .. "events", { stream = true }))
    assert(looks:read(1))
    app:write "tasks\n"
    app:expect "tasks: [^\n]*dashboard, dashboard's clock"
    looks:close()
    local deadline = csock.loop.now() + 20 * process.slowness
    local names
    repeat
      app:write "tasks\n"
      names = app:expect "tasks: ([^\n]*)\n"
      csock.sleep(0.05)
    until not names:find "dashboard" or csock.loop.now() > deadline
    assert.is_nil(names:find "dashboard")
  end)

  local test = browser.missing and pending or it

  describe("in a browser", function()
    local chrome

    setup(function() chrome = not browser.missing and browser.start() end)
    teardown(function() if chrome then chrome:close() end end)

    local function open()
      local page = chrome:open(address)
      page:wait("sockets", [[return document.querySelectorAll("#sockets tbody tr").length > 8]])
      return page
    end

    local function cells(page, column)
      return page:execute(([[return [...document.querySelectorAll("#sockets tbody tr")].map(
        tr => tr.cells[%d].textContent).join("|")]]):format(column))
    end

    test("shows sockets, tasks and curves, and goes on", function()
      local page = open()
      assert.matches("listening", cells(page, 2))
      assert.matches("connected", cells(page, 2))
      page:wait("tasks", [[return document.querySelector("#tasks").textContent.includes("client 3")]])
      local before = page:execute [[return document.querySelectorAll("figcaption b").length]]
      assert.equal(4, before)
      page:wait("curves that are drawn", [[return [...document.querySelectorAll("canvas")].every(canvas =>
        canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(byte => byte > 0))]])
      local seen = cells(page, 7)
      page:wait("other numbers", ([[return [...document.querySelectorAll("#sockets tbody tr")].map(
        tr => tr.cells[7].textContent).join("|") !== "%s"]]):format(seen))
    end)

    -- For the README: DASHBOARD_PICTURE=doc/dashboard.png make run-test SPECS=spec/repl/dashboard_spec.lua
    test("has its picture taken", function()
      local path = os.getenv "DASHBOARD_PICTURE" or os.tmpname()
      local page = open()
      page:resize(1000, 700)
      if os.getenv "DASHBOARD_PICTURE" then csock.sleep(30) end -- curves
      page:screenshot(path)
      local file <close> = assert(io.open(path, "rb"))
      assert.equal("\x89PNG", file:read(4))
      if not os.getenv "DASHBOARD_PICTURE" then os.remove(path) end
    end)

    test("sorts by the column that is clicked", function()
      local page = open()
      page:find("#sockets th:nth-child(1)"):click()
      assert.equal("descending", page:execute [[return document.querySelector("#sockets th").ariaSort]])
      local ids = {}
      for id in cells(page, 0):gmatch "%d+" do ids[#ids + 1] = tonumber(id) end
      for i = 2, #ids do assert.is_true(ids[i] < ids[i - 1]) end
      page:find("#sockets th:nth-child(3)"):click()
      assert.matches("^connected", cells(page, 2))
      page:find("#sockets th:nth-child(3)"):click()
      assert.matches("^listening", cells(page, 2))
    end)

    test("shows what passes on a socket, and runs none of it", function()
      local page = open()
      page:execute [[
        const rows = [...document.querySelectorAll("#sockets tbody tr")];
        rows.find(tr => tr.cells[2].textContent === "connected").querySelector("button").click();
      ]]
      page:wait("bytes", [[return document.querySelector("#trace pre").textContent.includes("hello <b>you</b>")]])
      assert.equal(0, page:execute [[return document.querySelectorAll("#trace b b").length]])
      assert.equal(0, page:execute [[return document.images.length]])
      assert.equal("csock", page:execute [[return document.title]])
      page:find("#stop"):click()
      assert.is_true(page:execute [[return document.querySelector("#trace").hidden]])
    end)

    test("closes a socket by a click", function()
      local page = open()
      page:execute [[
        const rows = [...document.querySelectorAll("#sockets tbody tr")];
        rows.find(tr => tr.cells[2].textContent === "connected").querySelectorAll("button")[1].click();
      ]]
      app:expect "client %d has ended"
    end)

    test("says when the program is gone", function()
      local page = open()
      app:write "dashboard\n"
      app:expect "closed"
      page:wait("that it knows", [[return document.querySelector("#status").textContent === "not connected"]])
    end)
  end)
end)
