-- The dashboard: who gets its page, and the page in a real browser.
local browser = require "spec.support.browser"
local http = require "csock.http"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local HOSTILE = "<img src=x onerror=document.title=1>"

-- A server with clients that send all the time, others that come and go, and the dashboard, alone in its process. It
-- does what the lines on its standard input say, in Lua.
local APP = [[
io.stdout:setvbuf "line"
csock = require "csock"
csock.debug(true)
local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
  for data in function() return conn:recv(10000) end do
    if data == "" then return end
    conn:sendall(data)
  end
end))
for i = 1, 9 do
  csock.spawn(function()
    local conn <close> = assert(csock.create_connection(server:getsockname()))
    while conn:sendall(("hello <b>you</b> "):rep(i * i)) and conn:recv(10000) ~= "" do
      csock.sleep(0.02 + math.random() / 10)
    end
    print("client " .. i .. " has ended")
  end):set_name("client " .. i)
end
csock.spawn(function()
  while true do
    local conn <close> = assert(csock.create_connection(server:getsockname()))
    conn:sendall "shortly"
    conn:recv(10)
    csock.sleep(math.random() / 20)
  end
end):set_name "visitor"
csock.spawn(csock.sleep, 1000):set_name(HOSTILE)
HOSTILE_SOCKET = assert(csock.socket(csock.AF_UNIX))
HOSTILE_SOCKET:bind(PATH)
function close(id)
  for _, row in ipairs(csock.sockets()) do
    if row.id == id then row.socket:shutdown(2) row.socket:close() end
  end
end
function tasks(pattern)
  local names = {}
  for _, row in ipairs(csock.loop.tasks()) do
    if row.name and row.name:find(pattern) then names[#names + 1] = row.name end
  end
  table.sort(names)
  return table.concat(names, ", ")
end
function of_dashboard() -- the sockets of its viewers
  local found = {}
  for _, row in ipairs(csock.sockets()) do
    if row.state ~= "listening" and row.kind == "tcp" and row.laddr.port == dashboard:getsockname().port then
      found[#found + 1] = row.id
    end
  end
  return found
end
dashboard, address = require "csock.repl.dashboard".start(0)
print(address)
csock.spawn(function()
  for line in assert(csock.stream(0, "r", { closefd = false })):lines() do assert(load(line))() end
  os.exit(0, true)
end)
csock.run()
]]

describe("the dashboard", function()
  local app, address, root, path

  before_each(function()
    path = os.tmpname()
    os.remove(path)
    path = path .. HOSTILE
    app = keep(process.lua { "-e", ("HOSTILE, PATH = %q, %q assert(load(%q, '@chat.lua'))()")
      :format(HOSTILE, path, APP) })
    address = app:read_line()
    root = address:match "^http://[^/]+"
  end)

  after_each(function()
    keep.close()
    os.remove(path)
  end)

  -- What an expression is in the program.
  local function ask(expression)
    app:write(("print('answer:', %s)\n"):format(expression))
    return app:expect "answer:\t([^\n]*)\n"
  end

  local function wait_until(expression, value)
    local deadline = posix.monotonic() + browser.LIMIT
    while ask(expression) ~= value and posix.monotonic() < deadline do posix.sleep(0.05) end
    assert.equal(value, ask(expression))
  end

  local function status(method, url, headers)
    local response = assert(http.request(method, url, { headers = headers }))
    return response.status, response
  end

  it("is for those alone who know its address", function()
    assert.equal(200, (status("GET", address)))
    assert.equal(404, (status("GET", root .. "/")))
    assert.equal(404, (status("GET", root .. "/" .. ("0"):rep(32) .. "/")))
    assert.equal(404, (status("GET", address:sub(1, -2))))
    assert.equal(404, (status("GET", root .. address:sub(#root + 1):upper())))
    assert.equal(404, (status("GET", address .. "nothing")))
    assert.equal(404, (status("GET", root .. "/events")))
    assert.equal(404, (status("POST", root .. "/close?id=1")))
  end)

  it("has another address each time", function()
    assert.not_equal(address, ask "select(2, require 'csock.repl.dashboard'.start(0))")
  end)

  it("closes nothing by a request that a link makes, and tells which method it wants", function()
    local id = ask "of_dashboard()[1] or 1"
    local code, response = status("GET", address .. "close?id=" .. id)
    assert.same({ 405, "POST" }, { code, response.headers.allow })
    code, response = status("POST", address .. "events")
    assert.same({ 405, "GET" }, { code, response.headers.allow })
    assert.equal(405, (status("DELETE", address)))
  end)

  it("is only given under a name of this machine", function()
    assert.equal(403, (status("GET", address, { Host = "example.com" })))
    assert.equal(403, (status("GET", address, { Host = "localhost.example.com:80" })))
    assert.equal(403, (status("POST", address .. "close?id=1", { Host = "127.0.0.1.example.com" })))
    assert.equal(200, (status("GET", address, { Host = "localhost:80" })))
  end)

  it("refuses what is no number of a socket", function()
    for _, id in ipairs { "", "x", "-1", "0", "1e3", "999999", ("9"):rep(30) } do
      assert.equal(404, (status("POST", address .. "close?id=" .. id)))
      assert.equal(404, (status("GET", address .. "trace?id=" .. id)))
    end
    assert.equal(404, (status("POST", address .. "close")))
  end)

  it("allows its page nothing from elsewhere", function()
    local response = assert(http.get(address))
    local policy = response.headers["content-security-policy"]
    assert.matches("default%-src 'none'", policy)
    assert.is_nil(policy:find("unsafe", 1, true))
    assert.is_nil(response.body:find "https?://")
    assert.is_nil(response.body:find("NONCE", 1, true))
    assert.equal("no-referrer", response.headers["referrer-policy"])
    assert.not_equal(policy, assert(http.get(address)).headers["content-security-policy"])
  end)

  it("costs nothing while nobody looks", function()
    assert.equal("", ask "tasks 'dashboard'")
    local one <close> = assert(http.get(address .. "events", { stream = true }))
    local two <close> = assert(http.get(address .. "events", { stream = true }))
    assert(one:read(1))
    assert(two:read(1))
    assert.equal("dashboard, dashboard's clock", ask "tasks 'dashboard'")
    one:close()
    wait_until("#of_dashboard()", "1")
    assert.equal("dashboard, dashboard's clock", ask "tasks 'dashboard'")
    two:close()
    wait_until("#of_dashboard()", "0")
    wait_until("tasks 'dashboard'", "")
    local three <close> = assert(http.get(address .. "events", { stream = true }))
    assert(three:read(1))
  end)

  it("forgets a trace of a quiet socket when its reader is gone", function()
    local id = ask "1" -- the listener's
    local trace <close> = assert(http.get(address .. "trace?id=" .. id, { stream = true }))
    assert.equal("1", ask "#of_dashboard()")
    trace:close()
    wait_until("#of_dashboard()", "0")
  end)

  if browser.missing then
    pending("in a browser: " .. browser.missing)
    return
  end

  describe("in a browser", function()
    local chrome

    lazy_setup(function() chrome = browser.start() end)
    lazy_teardown(function() chrome:close() end)

    local NEWS = [[
      window.news = 0;
      new MutationObserver(() => { window.news++ }).observe(document.querySelector("figure b"),
        { childList: true, characterData: true, subtree: true });
    ]]

    local function open()
      local page = keep(chrome:open(address))
      page:wait("sockets", [[return document.querySelectorAll("#sockets tbody tr").length > 18]])
      page:execute(NEWS)
      return page
    end

    local function wait_for_news(page)
      page:wait("news", "return news > arguments[0]", page:execute "return news" + 1)
    end

    -- Those of a column, from the top.
    local function fields(page, column, table)
      return page:execute("return [...document.querySelectorAll(arguments[0] + ' tbody tr')].map(tr => tr.fields["
        .. column .. "])", table or "#sockets")
    end

    local function is_sorted(list, descending)
      for i = 2, #list do
        local a, b = tonumber(list[i - 1]), tonumber(list[i])
        if descending and a < b or not descending and a > b then return false end
      end
      return true
    end

    -- The number of client 2's socket at its own end, which has that row.
    local function client(page)
      return page:execute [[
        const all = [...document.querySelectorAll("#sockets tbody tr")];
        const port = all.find(tr => tr.fields[0] === "1").fields[3];
        const tr = all.filter(tr => tr.fields[4] === port)[1];
        tr.id = "client";
        return tr.fields[0];
      ]]
    end

    -- pixels(canvas, height): the bytes of its uppermost rows, by a copy: a browser warns of those who read often.
    local PIXELS = [[
      function pixels(canvas, height) {
        const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height });
        const context = copy.getContext("2d", { willReadFrequently: true });
        context.drawImage(canvas, 0, 0);
        return context.getImageData(0, 0, copy.width, height).data;
      }
    ]]

    local PAINTED = PIXELS .. [[
      return [...document.querySelectorAll("canvas")].every(canvas =>
        pixels(canvas, canvas.height / 2).some(byte => byte > 0));
    ]]

    it("shows sockets, tasks and curves, goes on, and complains of nothing", function()
      local page = open()
      local states = table.concat(fields(page, 2), " ")
      assert.matches("listening", states)
      assert.matches("connected", states)
      assert.matches("client 3", table.concat(fields(page, 1, "#tasks"), " "))
      assert.matches("socket %d", table.concat(fields(page, 4, "#tasks"), " "))
      page:wait("curves that are drawn", PAINTED)
      local before = fields(page, 7)
      wait_for_news(page)
      assert.not_same(before, fields(page, 7))
      assert.matches("^%d+ sockets, %d+ tasks$", page:find "#status":text())
      assert.same({}, page:log())
    end)

    it("counts connections that come and go between two looks", function()
      local page = open()
      page:wait("accepts", [[return Number(document.querySelectorAll("figure b")[2].textContent) > 3]])
    end)

    it("is light or dark as the reader likes it, its curves too", function()
      local page = open()
      page:wait("curves that are drawn", PAINTED)
      local function colours()
        return page:execute(PIXELS .. [[
          const canvas = document.querySelectorAll("canvas")[3], seen = new Set(), data = pixels(canvas, canvas.height);
          for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) seen.add(data.slice(i, i + 3).join());
          return [getComputedStyle(document.body).backgroundColor, [...seen].sort().join(" ")];
        ]])
      end
      page:prefer "light"
      local light = colours()
      page:prefer "dark"
      wait_for_news(page)
      local dark = colours()
      assert.not_equal(light[1], dark[1])
      assert.not_equal(light[2], dark[2])
    end)

    it("fits into narrow windows", function()
      local page = open()
      for _, width in ipairs { 1000, 400 } do
        page:resize(width, 700)
        page:wait("its width", "return Math.abs(innerWidth - arguments[0]) < 20", width)
        assert.is_true(page:execute "return document.documentElement.scrollWidth <= innerWidth")
        assert.is_true(page:execute [[
          const row = document.querySelector("#sockets tbody tr"), close = row.querySelector(".close");
          return row.cells[5].getBoundingClientRect().right < innerWidth
            && close.getBoundingClientRect().right < innerWidth;
        ]])
      end
    end)

    it("sorts by the column whose head is clicked, and stays sorted", function()
      local page = open()
      page:find "#sockets th:nth-child(1) button":click()
      assert.equal("descending", page:execute [[return document.querySelector("#sockets th").ariaSort]])
      assert.is_true(is_sorted(fields(page, 0), true))
      page:find "#sockets th:nth-child(8) button":click()
      assert.is_true(is_sorted(fields(page, 7), true))
      wait_for_news(page)
      assert.is_true(is_sorted(fields(page, 7), true))
      page:find "#sockets th:nth-child(8) button":click()
      assert.is_true(is_sorted(fields(page, 7)))
      page:find "#sockets th:nth-child(3) button":click()
      assert.not_equal("listening", fields(page, 2)[1])
      page:find "#sockets th:nth-child(3) button":type(browser.ENTER)
      local states = fields(page, 2)
      assert.is_true(states[1] > states[#states])
    end)

    it("moves no row away under a pointer", function()
      local page = open()
      local id = client(page)
      page:execute [[
        window.moving = setInterval(() => {
          document.querySelector("#client td").dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
        }, 100);
      ]]
      app:write(("close(%s)\n"):format(id))
      page:wait("that it is gone", [[return document.querySelector("#client.gone button:disabled")]])
      wait_for_news(page)
      assert.is_true(page:execute [[return document.querySelector("#client") !== null]])
      page:execute [[
        clearInterval(moving);
        document.querySelector("#sockets tbody").dispatchEvent(new PointerEvent("pointerleave"));
      ]]
      assert.is_true(page:execute [[return document.querySelector("#client") === null]])
    end)

    it("closes a socket by a click", function()
      local page = open()
      client(page)
      page:find "#client button.close":click()
      app:expect "client %d has ended"
      assert.same({}, page:log())
    end)

    it("shows what passes on a socket, and runs none of it", function()
      local page = open()
      local id = client(page)
      page:find "#client button.trace":click()
      local pre = [[const text = document.querySelector("#trace pre").innerText; return ]]
      page:wait("bytes", pre .. [[text.includes("hello <b>you</b>") && text.includes(" 68 65 6c 6c 6f 20 3c 62 3e ")]])
      page:wait("both ways", pre .. [[/^\d+\.\d+ > \d+ bytes$/m.test(text) && /^\d+\.\d+ < \d+ bytes$/m.test(text)]])
      assert.matches("^socket " .. id .. " with 127", page:find "#trace b":text())
      assert.equal(0, page:execute [[return document.querySelectorAll("#trace b b").length]])
      page:find "#stop":click()
      assert.is_true(page:execute [[return document.querySelector("#trace").hidden]])
      local shown = page:execute(pre .. "text")
      wait_for_news(page)
      assert.equal(shown, page:execute(pre .. "text"))
      assert.same({}, page:log())
    end)

    it("says that a trace has ended with its socket", function()
      local page = open()
      local id = client(page)
      page:find "#client button.trace":click()
      page:wait("bytes", [[return document.querySelector("#trace pre").textContent !== ""]])
      app:write(("close(%s)\n"):format(id))
      page:wait("the end", [[return document.querySelector("#trace span").textContent === "the socket is closed"]])
      assert.same({}, page:log())
    end)

    it("takes names and addresses for text", function()
      local page = open()
      assert.matches(HOSTILE, table.concat(fields(page, 1, "#tasks"), " "), 1, true)
      assert.matches(path, table.concat(fields(page, 3), " "), 1, true)
      assert.matches(HOSTILE, page:execute "return document.body.innerText", 1, true)
      assert.equal(0, page:execute "return document.images.length")
      assert.equal("csock", page:title())
      assert.same({}, page:log())
    end)

    it("has several viewers", function()
      local one, two = open(), open()
      local three <close> = assert(http.get(address .. "events", { stream = true }))
      wait_for_news(one)
      wait_for_news(two)
      three:close()
      wait_for_news(one)
      wait_for_news(two)
    end)

    it("comes back by itself when it was not connected", function()
      local page = open()
      page:execute [[
        window.seen = [];
        new MutationObserver(() => { seen.push(status.className) }).observe(document.querySelector("#status"),
          { attributes: true });
      ]]
      app:write "for _, id in ipairs(of_dashboard()) do close(id) end\n"
      page:wait("that it is not connected", [[return seen.includes("lost")]])
      page:wait("that it is again", [[return document.querySelector("#status").className === "live"]])
      wait_for_news(page)
    end)

    it("says that the program does not answer, and when it does again", function()
      local page = open()
      app:signal "SIGSTOP"
      page:wait("that it says so", [[return document.querySelector("#status").textContent.includes("not answer")]])
      app:signal "SIGCONT"
      page:wait("that it is well", [[return document.querySelector("#status").className === "live"]])
    end)

    it("says that the program is gone", function()
      local page = open()
      app:kill()
      page:wait("that it says so", [[return document.querySelector("#status").textContent === "not connected"]])
    end)

    -- For the README: DASHBOARD_PICTURE=doc/dashboard.png make run-test SPECS=spec/repl/dashboard_spec.lua
    -- and, for a third of its size, convert doc/dashboard.png -colors 256 PNG8:doc/dashboard.png
    local picture = os.getenv "DASHBOARD_PICTURE"
    if picture then
      it("has its picture taken", function()
        local page = open()
        page:resize(1000, 880)
        page:prefer "light"
        client(page)
        app:write "HOSTILE_SOCKET:close() for _, row in ipairs(csock.loop.tasks()) do "
        app:write "if row.name == HOSTILE then row.task:cancel() end end\n"
        posix.sleep(40) -- the curves
        page:find "#sockets th:nth-child(6) button":click()
        page:execute [[document.querySelector("#client .trace").click()]]
        posix.sleep(1)
        page:screenshot(picture)
      end)
    end
  end)
end)
