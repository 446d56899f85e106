-- Forms and uploads: limits, bodies that are cut or lie, in handlers, and as a CGI program under several servers.
local BytesIO = require "csock.bytesio"
local cgi = require "csock.cgi"
local class = require "csock.class"
local csock = require "csock"
local http = require "csock.http"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local nginx = require "spec.support.nginx"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local python = require "spec.support.python"
local streams = require "spec.support.streams"

local E = csock.errno
local LIMIT = 10 * process.slowness

local BOUNDARY = "multipart/form-data; boundary=x"

local function part(disposition, body, more)
  return ("--x\r\nContent-Disposition: form-data; %s\r\n%s\r\n%s\r\n"):format(disposition, more or "", body)
end

local FORM = part('name="a"', "1") .. part('name="f"; filename="f.txt"', "a\r\nfile", "Content-Type: text/x; y=z\r\n")
  .. part('name="a"', "2") .. "--x--\r\n"

local function form_of(body, options, kind)
  options = options or {}
  options.fp = type(body) == "string" and BytesIO(body) or body
  options.environ = options.environ or {
    REQUEST_METHOD = "POST", CONTENT_TYPE = kind or BOUNDARY,
    CONTENT_LENGTH = type(body) == "string" and tostring(#body),
  }
  return cgi.FieldStorage(options)
end

describe("a form", function()
  after_each(keep.close)

  it("has fields by name, and files", function()
    local form = keep(form_of(FORM))
    assert.same({ "a", "f" }, form:keys())
    assert.equal(2, #form)
    assert.is_true(form:has "a")
    assert.is_false(form:has "getvalue")
    assert.same({ "1", "2" }, form:getvalue "a")
    assert.same({ "1", "none", nil }, { form:getfirst "a", form:getfirst("b", "none"), form:getvalue "b" })
    assert.same({ "a\r\nfile" }, form:getlist "f")
    local upload = form:get "f"
    assert.same({ "f", "f.txt", "text/x", "z", "form-data" },
      { upload.name, upload.filename, upload.type, upload.type_options.y, upload.disposition })
    assert.equal("text/x; y=z", upload.headers["content-type"])
    assert.equal("a\r", upload.file:read "l")
    assert.equal("a\r\nfile", upload.value)
    assert.equal("a\r\nfile", upload.file:read "a")
    assert.is_nil(form.filename)
    assert.is_nil(form.a)
    form:close()
    assert.equal("closed file", io.type(upload.file))
  end)

  it("of another type is one file", function()
    local form = keep(form_of("any\0bytes", nil, "application/octet-stream"))
    assert.equal("any\0bytes", form.value)
    assert.same({}, form:keys())
    assert.is_nil(form:getvalue "a")
  end)

  it("goes to files of the program's own choice", function()
    local made = {}
    local Own = class("Own", cgi.FieldStorage)
    function Own.make_file(_, field)
      made[#made + 1] = field.filename
      return io.tmpfile()
    end
    local environ = { REQUEST_METHOD = "POST", CONTENT_TYPE = BOUNDARY }
    local form = keep(assert(Own { fp = BytesIO(FORM), environ = environ }))
    assert.same({ "f.txt" }, made)
    assert.equal("a\r\nfile", form:getvalue "f")
    function Own.make_file() return nil, "no room", E.ENOSPC end
    local nothing, err, errno = Own { fp = BytesIO(FORM), environ = environ }
    assert.same({ nil, E.ENOSPC }, { nothing, errno })
    assert.matches("no room", tostring(err))
  end)

  it("is the same however its body is cut", function()
    for size = 1, #FORM do
      local at, fp = 1, {}
      function fp.read(_, n)
        local piece = FORM:sub(at, at + math.min(n, size) - 1)
        at = at + #piece
        return piece ~= "" and piece or nil
      end
      local form = assert(form_of(fp))
      assert.same({ "1", "2" }, form:getvalue "a")
      assert.equal("a\r\nfile", form:getvalue "f")
      form:close()
    end
  end)

  it("that is cut is an error, wherever that is, and leaves no file open", function()
    for size = 0, #FORM - 5 do
      local Own, files = class("Own", cgi.FieldStorage), {}
      function Own.make_file()
        files[#files + 1] = io.tmpfile()
        return files[#files]
      end
      for _, length in ipairs { tostring(size), tostring(#FORM), false } do
        local form, _, errno = Own {
          fp = BytesIO(FORM:sub(1, size)),
          environ = { REQUEST_METHOD = "POST", CONTENT_TYPE = BOUNDARY, CONTENT_LENGTH = length },
        }
        assert.same({ nil, E.EBADMSG }, { form, errno }, size)
      end
      for _, file in ipairs(files) do assert.equal("closed file", io.type(file)) end
    end
  end)

  it("that is malformed is an error", function()
    for _, case in ipairs {
      { "", "multipart/form-data" }, { "", "multipart/form-data; boundary=" }, { "x", BOUNDARY },
      { "", "multipart/form-data; boundary=" .. ("y"):rep(300) }, { "", "multipart/form-data; boundary=\"a \"" },
      { "--x\r\nno field\r\n\r\na\r\n--x--", BOUNDARY }, { "--x\r\n: a\r\n\r\na\r\n--x--", BOUNDARY },
      { "--x\r\na b: c\r\n\r\na\r\n--x--", BOUNDARY }, { "--x\r\na: b\0\r\n\r\na\r\n--x--", BOUNDARY },
      { part('name="a"', "1") .. "--y--", BOUNDARY },
      { "--x\r\nContent-Type: multipart/mixed\r\n\r\na\r\n--x--", BOUNDARY },
      { "--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\na\r\n--x--", BOUNDARY },
    } do
      local form, err, errno = form_of(case[1], nil, case[2])
      assert.same({ nil, "cgi", E.EBADMSG }, { form, err.kind, errno }, case[1] .. case[2])
    end
    for _, length in ipairs { "-1", "1e3", "0x10", "x", "", "99999999999999999999" } do
      local form, _, errno = cgi.FieldStorage {
        fp = BytesIO(FORM), environ = { REQUEST_METHOD = "POST", CONTENT_TYPE = BOUNDARY, CONTENT_LENGTH = length },
      }
      assert.same({ nil, E.EBADMSG }, { form, errno })
    end
  end)

  it("has limits, each of which is an error", function()
    local deep = "--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\nContent-Type: multipart/mixed; "
      .. "boundary=z\r\n\r\n--z\r\n\r\na\r\n--z--\r\n--y--\r\n--x--"
    for _, case in ipairs {
      { { total = #FORM - 1 }, FORM, "body is longer" }, { { file = 6 }, FORM, "a file is longer" },
      { { field = 0 }, FORM, "a field is longer" }, { { memory = 1 }, FORM, "the fields are longer" },
      { { files = 0 }, FORM, "more than 0 files" }, { { head = 50 }, FORM, "the head of a part is longer" },
      { { head = 50 }, "--x\r\n" .. ("a"):rep(100), "the head of a part is longer" },
      { { depth = 2 }, deep, "deeper than 2" },
    } do
      local form, err, errno = form_of(case[2], { limits = case[1] })
      assert.same({ nil, E.EMSGSIZE }, { form, errno }, case[3])
      assert.matches(case[3], tostring(err))
      form, err = form_of(BytesIO(case[2]), { limits = case[1] })
      assert.is_nil(form)
      assert.matches(case[3], tostring(err))
    end
    assert.is_truthy(form_of(deep, { limits = { depth = 3 } }))
    assert.is_truthy(form_of(FORM, { limits = { total = false, file = false, field = false, memory = false } }))
    local _, _, errno = form_of(FORM, { max_num_fields = 2 })
    assert.equal(E.EMSGSIZE, errno)
    _, _, errno = form_of(("a=1&"):rep(1001), nil, "application/x-www-form-urlencoded")
    assert.equal(E.EMSGSIZE, errno)
    _, _, errno = form_of("a=" .. ("1"):rep(100), { limits = { field = 99 } }, "application/x-www-form-urlencoded")
    assert.equal(E.EMSGSIZE, errno)
    assert.has_error(function() form_of(FORM, { limits = { nonsense = 1 } }) end)
  end)

  it("takes time in proportion to its bytes, whatever they are", function()
    local function time_of(bytes)
      local before = os.clock()
      assert(form_of(part('name="f"; filename="f"', bytes) .. "--x--")):close()
      return os.clock() - before
    end
    for _, bytes in ipairs { "\r\n--", "\r\n--xy", "\r\n--x y", "\n", "\r", "-" } do
      assert.is_true(time_of(bytes:rep(1000000 // #bytes)) < 2 * process.slowness, bytes)
    end
    local before = os.clock()
    cgi.parse_header(('a; b="'):rep(5000) .. (";"):rep(20000))
    assert.is_true(os.clock() - before < 1 * process.slowness)
  end)
end)

describe("a form in a server", function()
  local server
  setup(function()
    server = httpd.start [[
      local cgi = require "csock.cgi"
      local function answer(form, err, errno)
        if not form then return errno == csock.errno.EMSGSIZE and 413 or 400, tostring(err) end
        local _ <close> = form
        local upload = form:get "f"
        return 200, table.concat({ table.concat(form:getlist "a", "+"), upload and upload.filename or "-",
          upload and tostring(#upload.value) or "-", form:getfirst("q", "-") }, " ")
      end
      local limits = { file = 1 << 20 }
      serve(function(request)
        local status, text = answer(cgi.FieldStorage { request = request, limits = limits })
        return status, nil, text
      end, { max_body = 1 << 22 })
      local Handler = class("Handler", httpserver.BaseHTTPRequestHandler)
      Handler.max_body = 1 << 22
      function Handler.log_message() end
      function Handler:do_POST()
        local status, text = answer(cgi.FieldStorage { request = self, limits = limits })
        self:send_response(status)
        self:send_header("Content-Length", #text)
        self:end_headers()
        self.wfile:write(text)
      end
      Handler.do_GET = Handler.do_POST
      serve_class(Handler)
    ]]
    server:expect "ready"
  end)
  teardown(keep.close)

  -- The ports of both.
  local function ports()
    local list = {}
    for port in server.out:gmatch "ready\t(%d+)" do list[#list + 1] = tonumber(port) end
    return list
  end

  for how, run in pairs(streams.ways) do
    it("comes from csock.http, " .. how, function()
      run(function()
        for _, port in ipairs(ports()) do
          local function post(options)
            options.timeout, options.proxies = LIMIT, false
            return assert(http.post(("http://127.0.0.1:%d/?q=v%%20w"):format(port), options))
          end
          local big = ("x"):rep(300000) .. "\r\n--"
          local twice = { { "a", "1" }, { "a", "2" } }
          local response = post { form = twice, files = { f = { data = big, filename = "ä.bin" } } }
          assert.equal("1+2 ä.bin 300004 v w", response.body)
          assert.equal("1+2 - - v w", post { form = twice }.body)
          local pieces = { FORM:sub(1, 50), FORM:sub(51) }
          assert.equal("1+2 f.txt 7 v w", post {
            data = function() return table.remove(pieces, 1) end, headers = { ["Content-Type"] = BOUNDARY },
          }.body)
          assert.equal(400, post { data = FORM:sub(1, -10), headers = { ["Content-Type"] = BOUNDARY } }.status)
          assert.equal(413, post { files = { f = ("x"):rep((1 << 20) + 1) } }.status)
          local url = ("http://127.0.0.1:%d/?q=v+w&a=3"):format(port)
          assert.equal("3 - - v w", assert(http.get(url, { timeout = LIMIT, proxies = false })).body)
        end
      end)
    end)
  end

  it("that ends too early is an error, and the connection with it", function()
    for _, port in ipairs(ports()) do
      local s <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT }))
      s:settimeout(LIMIT)
      local head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n"
      s:sendall(head:format(BOUNDARY) .. FORM)
      s:shutdown(csock.SHUT_WR)
      assert.matches("^HTTP/1.%d 400 ", httpd.rest(s))
    end
  end)
end)

describe("a CGI program", function()
  local dir, program

  setup(function()
    dir = assert(posix.mkdtemp())
    assert(os.execute(("mkdir '%s/cgi-bin' && chmod 755 '%s' '%s/cgi-bin'"):format(dir, dir, dir)))
    program = dir .. "/cgi-bin/form"
    local _, interpreter = process.run { "sh", "-c", "command -v " .. process.interpreter }
    local lua <close> = assert(io.open(dir .. "/form.lua", "w"))
    assert(lua:write(([[
      package.path, package.cpath = %q, %q
      local cgi = require "csock.cgi"
      local form, err = cgi.FieldStorage { limits = { file = 1 << 20 } }
      if not form then
        io.write("Status: 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n", tostring(err))
        return
      end
      io.write "Content-Type: text/plain\r\n\r\n"
      local upload = form:get "f"
      io.write(table.concat(form:getlist "a", "+"), " ", upload and upload.filename or "-", " ",
        upload and tostring(#upload.value) or "-", " ", form:getfirst("q", "-"))
    ]]):format(package.path:gsub("^%./", ""), package.cpath)))
    lua:close()
    -- Servers pass on few variables.
    local script <close> = assert(io.open(program, "w"))
    assert(script:write(("#!/bin/sh\nLD_PRELOAD='%s' exec '%s' '%s/form.lua'\n"):format(os.getenv "LD_PRELOAD" or "",
      (interpreter:gsub("\n", "")), dir)))
    script:close()
    assert(os.execute(("chmod 755 '%s'"):format(program)))
  end)
  teardown(function()
    keep.close()
    os.execute(("rm -rf '%s'"):format(dir))
  end)
  after_each(keep.close)

  -- `plain`: the server passes on what the program says as it is, its status, too.
  local function check(port, plain)
    local url = ("http://127.0.0.1:%d/cgi-bin/form"):format(port)
    local function post(options)
      options.timeout, options.proxies = LIMIT, false
      return assert(http.post(url .. "?q=v%20w", options))
    end
    local response = assert(http.get(url .. "?a=1&a=2&q=x+y", { timeout = LIMIT, proxies = false }))
    assert.equal("1+2 - - x y", response.body)
    assert.equal("1+2 - - v w", post { form = { { "a", "1" }, { "a", "2" } } }.body)
    local big = ("x"):rep(200000) .. "\r\n--"
    local file = { data = big, filename = "f.bin" }
    assert.equal("3 f.bin 200004 v w", post { form = { a = "3" }, files = { f = file } }.body)
    response = post { data = FORM:sub(1, -10), headers = { ["Content-Type"] = BOUNDARY } }
    assert.equal(plain and 200 or 400, response.status)
    assert.matches("the body is cut", response.body)
  end

  it("gets forms under csock's CGIHTTPRequestHandler", function()
    local own = httpd.start(([[
      local Programs = class("Programs", httpserver.CGIHTTPRequestHandler)
      Programs.directory, Programs.protocol_version = %q, "HTTP/1.1"
      function Programs.log_message() end
      serve_class(Programs)
    ]]):format(dir))
    check(own.port)
  end)

  it("gets forms under Python's http.server", function()
    if not python.name then return pending "no Python 3.11" end
    local served = keep(process.start({ python.name, "-u", "-m", "http.server", "--cgi", "--bind", "127.0.0.1", "0" }, {
      cwd = dir, merge = true,
    }))
    check(tonumber(served:expect "port (%d+)"), true)
  end)

  local function free_port()
    local s <close> = assert(csock.create_server { "127.0.0.1", 0 })
    return s:getsockname().port
  end

  local function wait_for(port, served)
    local deadline = csock.now() + LIMIT
    while csock.now() < deadline do
      local s <close> = csock.create_connection { "127.0.0.1", port }
      if s then return end
      assert(served:running(), served.err)
      csock.sleep(0.01)
    end
  end

  it("gets forms under lighttpd", function()
    if process.run { "sh", "-c", "PATH=$PATH:/usr/sbin command -v lighttpd" } ~= 0 then return pending "no lighttpd" end
    local port = free_port()
    local file <close> = assert(io.open(dir .. "/conf", "w"))
    assert(file:write(([[
      server.modules = ( "mod_cgi", "mod_alias" )
      server.document-root = "%s"
      server.bind = "127.0.0.1"
      server.port = %d
      $HTTP["url"] =~ "^/cgi-bin/" { cgi.assign = ( "" => "" ) }
    ]]):format(dir, port)))
    file:close()
    local served = keep(process.start { "sh", "-c", "PATH=$PATH:/usr/sbin exec lighttpd -D -f '" .. dir .. "/conf'" })
    wait_for(port, served)
    check(port)
  end)

  it("gets forms under nginx, by fcgiwrap", function()
    local found = process.run { "sh", "-c", "PATH=$PATH:/usr/sbin command -v fcgiwrap" } == 0
    if not nginx.path or not found then return pending "no nginx, or no fcgiwrap" end
    local path = dir .. "/socket"
    keep(process.start({ "sh", "-c", "PATH=$PATH:/usr/sbin exec fcgiwrap -s unix:" .. path }, { group = true }))
    local deadline = csock.now() + LIMIT
    while process.run { "test", "-S", path } ~= 0 and csock.now() < deadline do csock.sleep(0.01) end
    local served = keep(nginx.start(([[
      server {
        listen 127.0.0.1:PORT;
        location /cgi-bin/ {
          fastcgi_pass unix:%s;
          fastcgi_param SCRIPT_FILENAME %s$fastcgi_script_name;
          fastcgi_param QUERY_STRING $query_string;
          fastcgi_param REQUEST_METHOD $request_method;
          fastcgi_param CONTENT_TYPE $content_type;
          fastcgi_param CONTENT_LENGTH $content_length;
        }
      }
    ]]):format(path, dir)))
    check(served.port)
  end)
end)

describe("what shows a program its surroundings", function()
  it("escapes it", function()
    local out = BytesIO()
    cgi.print_environ({ ["<A>"] = "&", B = "c" }, out)
    cgi.print_form(form_of(part('name="<i>"', "<b>") .. "--x--"), out)
    cgi.print_exception("<err>", "<trace>", out)
    local text = out:getvalue()
    for _, piece in ipairs {
      "<dt>&lt;A&gt;</dt><dd>&amp;</dd>", "<dt>&lt;i&gt;</dt><dd>&lt;b&gt;</dd>", "&lt;trace&gt;", "&lt;err&gt;",
    } do
      assert.is_truthy(text:find(piece, 1, true), piece)
    end
  end)
end)
