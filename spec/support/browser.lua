--- A real browser for specs: Debian's chromium without a screen, driven through chromedriver by csock.http.
--
--     local browser = require "spec.support.browser"
--     local test = browser.missing and pending or it
--     local chrome = keep(browser.start())
--     local page = chrome:open("http://127.0.0.1:8080/")   -- a window of its own
--     page:find("#name"):type("ann", browser.ENTER)
--     page:wait("the answer", [[return document.title == "ann"]])
--     page:screenshot "build/page.png"
--
-- Windows of one browser have cookies and storage for a site in common, as a person's have. Every method ends after
-- LIMIT seconds, with an error that says what the browser has complained of. A browser reaches this machine alone, and
-- takes the directory that it writes to along when it is closed.
-- Source: WebDriver (https://www.w3.org/TR/webdriver2/); its log is chromedriver's own.
local dkjson = require "dkjson" -- which busted needs, too
local http = require "csock.http"
local base64 = require "csock.wire.base64"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local M = {}

--- Seconds that nothing takes, though the machine is busy.
M.LIMIT = 20 * process.slowness

--- Keys, for `type`.
M.ENTER, M.TAB, M.ESCAPE, M.SHIFT = "\u{E007}", "\u{E004}", "\u{E00C}", "\u{E008}"

local function has(program) return os.execute("command -v " .. program .. " >/dev/null 2>&1") ~= nil end

--- Why there is no browser here; nil where there is one.
M.missing = not has "chromium" and "there is no chromium here"
  or not has "chromedriver" and "there is no chromedriver here" or nil

-- It asks nobody for updates, and no name is looked up. By the pipe it notices that its driver is dead, and ends.
local ARGUMENTS = {
  "--headless=new", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-default-apps", "--disable-extensions", "--disable-domain-reliability", "--metrics-recording-only",
  "--disable-breakpad", "--disable-dev-shm-usage", "--disable-gpu", "--remote-debugging-pipe", "--no-proxy-server",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
  "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding", "--window-size=1000,700",
}

-- --- WebDriver -------------------------------------------------------------------------------------

local Browser = {}
Browser.__index = Browser

-- A command: its value. An empty list of Lua is one of JSON's where its metatable says so.
local function ask(self, method, path, body)
  local response, err = self.http:request(method, self.url .. path, {
    data = body and dkjson.encode(body) or nil, headers = { ["Content-Type"] = "application/json" },
  })
  if not response then error(("the browser does not answer: %s"):format(err), 0) end
  local value = dkjson.decode(response.body).value
  if response.status ~= 200 then error(value.message:match "^[^\n]*", 0) end
  return value
end

local function object(fields) return setmetatable(fields or {}, { __jsontype = "object" }) end
local function array(list) return setmetatable(list, { __jsontype = "array" }) end

local function capabilities(dir)
  local arguments = { "--user-data-dir=" .. dir .. "/profile", table.unpack(ARGUMENTS) }
  local user <close> = assert(io.popen "id -u")
  if user:read "l" == "0" then table.insert(arguments, "--no-sandbox") end -- chromium has none for root
  return { capabilities = { alwaysMatch = {
    unhandledPromptBehavior = "dismiss and notify",
    ["goog:chromeOptions"] = { args = arguments },
    ["goog:loggingPrefs"] = { browser = "ALL" },
    timeouts = { script = M.LIMIT * 1000 // 1, pageLoad = M.LIMIT * 1000 // 1, implicit = 0 },
  } } }
end

local ATTEMPTS = 5

-- Starts the driver in a directory: it and its port. It looks for a port that is free in IPv6 and takes it for granted
-- that this is so in IPv4, too: where it is not, it ends, and another one is tried.
local function start_driver(dir)
  for attempt = 1, ATTEMPTS do
    -- A group of its own: chromium's processes are in it.
    local driver = process.start({ "chromedriver", "--port=0", "--log-level=SEVERE" }, {
      group = true, cwd = dir, env = {
        TMPDIR = dir, HOME = dir, XDG_CONFIG_HOME = dir, XDG_CACHE_HOME = dir, XDG_RUNTIME_DIR = dir,
        DISPLAY = false, WAYLAND_DISPLAY = false, DBUS_SESSION_BUS_ADDRESS = "disabled:",
      },
    })
    local ok, port = pcall(driver.expect, driver, "started successfully on port (%d+)", M.LIMIT)
    if ok then return driver, port end
    driver:kill()
    if attempt == ATTEMPTS or not driver.out:find "port not available" then error(port, 0) end
  end
end

--- Starts a browser; to be closed. Raises when it does not start.
-- @treturn browser
function M.start()
  local dir = assert(posix.mkdtemp())
  local self = setmetatable({
    dir = dir, http = http.Session { timeout = M.LIMIT, proxies = false, decode = false },
  }, Browser)
  local ok, why = pcall(function()
    local port
    self.driver, port = start_driver(dir)
    self.url = "http://127.0.0.1:" .. port
    local session = ask(self, "POST", "/session", capabilities(dir))
    self.url, self.session = self.url .. "/session/" .. session.sessionId, session.sessionId
    self.pid = session.capabilities["goog:processID"]
    self.first = ask(self, "GET", "/window") -- which stays: with its last window a browser ends
    self.current = self.first
  end)
  if not ok then
    self:close()
    error(why, 2)
  end
  return self
end

--- Its processes that run: their numbers. (All but the driver were told of its directory.)
function Browser:processes()
  local list <close> = assert(io.popen "ls /proc 2>/dev/null")
  local found = {}
  for pid in list:lines "l" do
    local file <close> = pid:find "^%d+$" and io.open("/proc/" .. pid .. "/cmdline") or nil
    local command = file and file:read "a" -- none of one that has ended meanwhile
    if command and command:find(self.dir, 1, true) then found[#found + 1] = tonumber(pid) end
  end
  return found
end

--- Ends it with all of its processes, and removes what it wrote. Closing again is harmless.
function Browser:close()
  if self.closed then return end
  self.closed = true
  if self.session then pcall(ask, self, "DELETE", "") end -- else what it has in hand is cut off
  self.http:close()
  if self.driver then self.driver:kill() end -- none has started otherwise
  self.driver, self.session = nil, nil
  local deadline = posix.monotonic() + M.LIMIT
  repeat
    local left = self:processes() -- that have begun a group of their own, or have not ended yet
    for _, pid in ipairs(left) do posix.kill(pid, posix.SIGKILL) end
    if #left > 0 then posix.sleep(0.01) end
  until #left == 0 or posix.monotonic() > deadline
  os.execute("rm -rf '" .. self.dir .. "'")
end

Browser.__close = Browser.close

-- --- windows ---------------------------------------------------------------------------------------

local Page = {}
Page.__index = Page

local function switch(browser, handle)
  if browser.current ~= handle then ask(browser, "POST", "/window", { handle = handle }) end
  browser.current = handle
end

-- A command to one of the windows.
local function ask_page(self, method, path, body)
  switch(self.browser, self.handle)
  return ask(self.browser, method, path, body)
end

--- Opens a window of its own.
-- @tparam[opt] string url what it shows; it returns when that has been loaded
-- @treturn page
function Browser:open(url)
  local handle = ask(self, "POST", "/window/new", { type = "window" }).handle
  local page = setmetatable({ browser = self, handle = handle }, Page)
  if url then page:navigate(url) end
  return page
end

--- Closes a window. (That of a browser that has ended is closed already.)
function Page:close()
  if not self.browser.session then return end
  ask_page(self, "DELETE", "/window")
  switch(self.browser, self.browser.first)
end

Page.__close = Page.close

function Page:navigate(url) ask_page(self, "POST", "/url", { url = url }) end

function Page:reload() ask_page(self, "POST", "/refresh", object()) end

--- Makes the window so large, in pixels.
function Page:resize(width, height) ask_page(self, "POST", "/window/rect", { width = width, height = height }) end

--- Makes the reader one who prefers `"light"` or `"dark"` pages.
function Page:prefer(scheme)
  ask_page(self, "POST", "/goog/cdp/execute", {
    cmd = "Emulation.setEmulatedMedia",
    params = { features = array { { name = "prefers-color-scheme", value = scheme } } },
  })
end

function Page:title() return ask_page(self, "GET", "/title") end

--- Runs a script in the page, as the body of a function with these arguments: what that returns.
function Page:execute(script, ...)
  return ask_page(self, "POST", "/execute/sync", { script = script, args = array { ... } })
end

--- What the page's scripts and its browser have complained of, since it was asked last: a sequence of texts.
function Page:log()
  local list = {}
  for i, entry in ipairs(ask_page(self, "POST", "/se/log", { type = "browser" })) do
    list[i] = ("%s %s"):format(entry.level, entry.message)
  end
  return list
end

--- Waits until a script returns something that is true in JavaScript: that.
-- @tparam string what it is that is waited for, for the error
-- @tparam string script
-- @param ... its arguments
function Page:wait(what, script, ...)
  local deadline = posix.monotonic() + M.LIMIT
  repeat
    local value = self:execute(script, ...)
    if value and value ~= 0 and value ~= "" then return value end
    posix.sleep(0.02)
  until posix.monotonic() > deadline
  error(("the page has not: %s\nit shows: %s\nit complains: %s"):format(what,
    self:execute "return document.body && document.body.innerText", table.concat(self:log(), "\n")), 2)
end

--- Saves what the window shows as a picture (PNG).
function Page:screenshot(path)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(base64.decode(ask_page(self, "GET", "/screenshot"))))
end

-- --- elements --------------------------------------------------------------------------------------

local Element = {}
Element.__index = Element

local KEY = "element-6066-11e4-a52e-4f735466cecf" -- WebDriver's name for one

local function wrap(page, value) return setmetatable({ page = page, id = value[KEY] }, Element) end

--- The first element that a CSS selector names; raises when there is none.
function Page:find(selector)
  return wrap(self, ask_page(self, "POST", "/element", { using = "css selector", value = selector }))
end

--- The element that has the focus, which keys go to.
function Page:focused() return wrap(self, ask_page(self, "GET", "/element/active")) end

local function ask_element(self, method, path, body)
  return ask_page(self.page, method, "/element/" .. self.id .. path, body)
end

--- Types texts into it, and keys such as ENTER.
function Element:type(...) ask_element(self, "POST", "/value", { text = table.concat { ... } }) end

--- Takes away what has been typed into it.
function Element:clear() ask_element(self, "POST", "/clear", object()) end

function Element:click() ask_element(self, "POST", "/click", object()) end

function Element:text() return ask_element(self, "GET", "/text") end

--- A property that scripts see: `value`, `disabled` ...
function Element:property(name) return ask_element(self, "GET", "/property/" .. name) end

return M
