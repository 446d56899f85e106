-- The specs' browser, judged by pages of a server of ours.
local browser = require "spec.support.browser"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local tree = require "spec.support.tree"

if browser.missing then
  pending("spec.support.browser: " .. browser.missing)
  return
end

local SITE = [[
  local pages = {
    ["/"] = '<title>first</title><p id=p>hello</p><input id=i><button id=b>go</button><script>'
      .. 'b.onclick = () => { document.title = i.value }</script>',
    ["/keys"] = '<form><input id=i autofocus><button id=b>go</button></form><script>'
      .. 'document.forms[0].onsubmit = e => { e.preventDefault(); document.title = "sent" }</script>',
    ["/store"] = '<title>store</title>',
    ["/noisy"] = '<script>console.log("a word"); nothing.at.all</script>',
    ["/alert"] = '<button id=b onclick="alert(1)">go</button>',
    ["/scheme"] = '<style>@media (prefers-color-scheme: dark) { p { color: rgb(1, 2, 3) } }</style><p>text</p>',
  }
  serve(function(request)
    if request.path == "/favicon.ico" then return 204 end -- a 404 would be complained of
    return pages[request.path] and 200 or 404, { ["content-type"] = "text/html" }, pages[request.path]
  end)
  csock.run()
]]

describe("spec.support.browser", function()
  local chrome, site

  lazy_setup(function() chrome = browser.start() end)
  lazy_teardown(function() chrome:close() end)
  before_each(function() site = httpd.start(SITE) end)
  after_each(keep.close)

  local function open(path) return keep(chrome:open(("http://127.0.0.1:%d%s"):format(site.port, path))) end

  it("shows a page, finds its elements, types and clicks", function()
    local page = open "/"
    assert.equal("first", page:title())
    assert.equal("hello", page:find "#p":text())
    page:find "#i":type("gr\u{FC}n")
    assert.equal("gr\u{FC}n", page:find "#i":property "value")
    page:find "#b":click()
    assert.equal("gr\u{FC}n", page:title())
    page:find "#i":clear()
    assert.equal("", page:find "#i":property "value")
    assert.has_error(function() page:find "#none" end)
  end)

  it("presses keys where the focus is", function()
    local page = open "/keys"
    page:focused():type("x", browser.TAB)
    assert.equal("b", page:focused():property "id")
    page:focused():type(browser.ENTER)
    assert.equal("sent", page:title())
  end)

  it("runs scripts, with arguments and results of every kind", function()
    local page = open "/"
    assert.same({ 1, "two", { three = true } }, page:execute("return [...arguments]", 1, "two", { three = true }))
    assert.is_nil((page:execute "return null"))
    assert.has_error(function() page:execute "nothing.at.all" end, "javascript error: nothing is not defined")
  end)

  it("waits for what will be so, and says what the page is like when it does not come", function()
    local page = open "/"
    page:execute "setTimeout(() => { document.title = 'later' }, 50)"
    assert.is_true(page:wait("the title", "return document.title == arguments[0]", "later"))
    local limit = browser.LIMIT
    finally(function() browser.LIMIT = limit end)
    browser.LIMIT = 0.1
    local ok, why = pcall(page.wait, page, "to be green", "return false")
    assert.is_false(ok)
    assert.matches("the page has not: to be green\nit shows: hello", why, 1, true)
  end)

  it("has windows of their own, with storage in common for a site but for what is a window's", function()
    local one, two = open "/store", open "/"
    one:execute "localStorage.setItem('a', 'b'); sessionStorage.setItem('c', 'd')"
    assert.equal("b", two:execute "return localStorage.getItem('a')")
    assert.is_nil((two:execute "return sessionStorage.getItem('c')"))
    one:reload()
    assert.equal("d", one:execute "return sessionStorage.getItem('c')")
    assert.same({ "store", "first" }, { one:title(), two:title() })
  end)

  it("tells what scripts have said, and what they have done wrong", function()
    local page = open "/noisy"
    local log = table.concat(page:log(), "\n")
    assert.matches('INFO [^\n]*"a word"', log)
    assert.matches("SEVERE [^\n]*nothing is not defined", log)
    assert.same({}, page:log())
  end)

  it("notices a dialogue that a page opens", function()
    local page = open "/alert"
    page:find "#b":click()
    assert.has_error(function() page:title() end, "unexpected alert open: {Alert text : 1}")
  end)

  it("is a reader who prefers dark pages, or light ones", function()
    local page = open "/scheme"
    local colour = "return getComputedStyle(document.querySelector('p')).color"
    page:prefer "dark"
    assert.equal("rgb(1, 2, 3)", page:execute(colour))
    page:prefer "light"
    assert.equal("rgb(0, 0, 0)", page:execute(colour))
  end)

  it("saves a picture of a window", function()
    local page = open "/"
    page:resize(500, 400)
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    page:screenshot(path)
    local picture = tree.read(path)
    assert.equal("\137PNG\r\n\26\n", picture:sub(1, 8))
    assert.equal(500, (">I4"):unpack(picture, 17))
  end)

  it("asks nobody but this machine", function()
    local page = open "/"
    assert.has_error(function() page:navigate "http://example.org/" end)
    assert.is_false(page:execute "return fetch('http://192.0.2.1/').then(() => true, () => false)")
  end)

  it("leaves no process and no file when it is closed, also when it was busy or its driver is dead", function()
    for _, accident in ipairs { "none", "busy", "dead" } do
      local other <close> = browser.start()
      local page = other:open(("http://127.0.0.1:%d/"):format(site.port))
      assert.is_true(#other:processes() > 1)
      if accident == "busy" then page:execute "setTimeout(() => { for (;;); }, 100)" end
      if accident == "dead" then other.driver:signal "SIGKILL" end
      local began = posix.monotonic()
      other:close()
      assert.is_true(posix.monotonic() - began < browser.LIMIT)
      assert.same({}, other:processes(), accident)
      assert.is_nil((io.open(other.dir .. "/profile")))
    end
  end)
end)
