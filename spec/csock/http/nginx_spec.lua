-- nginx as a server for csock.http.
local http = require "csock.http"
local keep = require "spec.support.keep"
local nginx = require "spec.support.nginx"
local posix = require "spec.support.posix"
local streams = require "spec.support.streams"
local tls = require "spec.support.tls"

if not nginx.path then
  pending "csock.http with nginx: no nginx"
  return
end

local SITE = [[
  server {
    listen 127.0.0.1:PORT;
    root ROOT;
    keepalive_requests 5;
    client_max_body_size 1000;
    gzip on;
    gzip_types text/plain;
    gzip_http_version 1.1;
    location /private/ { auth_basic "x"; auth_basic_user_file ROOT/users; alias ROOT/; }
    location /temporary { return 302 /file.txt; }
    location /kept { return 307 /post; }
    location /post { proxy_pass http://127.0.0.1:PORT/answer; }
    location /answer { return 200 "$request_method $content_length"; }
    location /status/204 { return 204; }
    location /limited { limit_rate 1; limit_rate_after 200000; alias ROOT/big; }
  }
]]

describe("csock.http, with nginx,", function()
  local server, root, base
  local big = tls.pattern(300000)

  setup(function()
    root = assert(posix.mkdtemp())
    local function write(name, text)
      local file <close> = assert(io.open(root .. "/" .. name, "w"))
      file:write(text)
    end
    write("file.txt", ("a line\n"):rep(1000))
    write("big", big)
    write("users", "me:{PLAIN}secret\n")
    assert(os.execute("mkdir -p " .. root .. "/directory"))
    write("directory/index.html", "the index")
    assert(os.execute("chmod -R a+rX " .. root))
    server = keep(nginx.start((SITE:gsub("ROOT", root))))
    base = "http://127.0.0.1:" .. server.port
  end)
  teardown(function()
    keep.close()
    os.execute("rm -rf '" .. root .. "'")
  end)

  local function session(options)
    options = options or {}
    options.timeout, options.proxies = tls.LIMIT, false
    return http.Session(options)
  end

  for how, run in pairs(streams.ways) do
    it("gets what is packed, and what is not, over connections that the server ends, " .. how, function()
      run(function()
        local own <close> = session()
        for _ = 1, 12 do
          local response = assert(own:get(base .. "/file.txt"))
          assert.equal(("a line\n"):rep(1000), response.body)
          response = assert(own:get(base .. "/file.txt", { decode = false }))
          assert.equal(7000, #response.body)
          assert.equal("", assert(own:head(base .. "/file.txt")).body)
          assert.equal("", assert(own:get(base .. "/status/204")).body)
        end
      end)
    end)

    it("follows redirects, with the body where that is so, " .. how, function()
      run(function()
        local own <close> = session()
        assert.equal("the index", assert(own:get(base .. "/directory")).body)
        assert.equal(7000, #assert(own:post(base .. "/temporary", { data = "x" })).body)
        assert.equal("POST 5", assert(own:post(base .. "/kept", { data = "abcde" })).body)
      end)
    end)

    it("gets parts, asks whether a file is still the same, and resumes, " .. how, function()
      run(function()
        local own <close> = session()
        local response = assert(own:get(base .. "/big", { headers = { Range = "bytes=100-199" } }))
        assert.same({ 206, big:sub(101, 200) }, { response.status, response.body })
        response = assert(own:get(base .. "/big", { headers = { Range = "bytes=300000-" } }))
        assert.equal(416, response.status)
        local tag = assert(own:head(base .. "/big", { decode = false })).headers.etag -- not the packed one's
        response = assert(own:get(base .. "/big", { headers = { ["If-None-Match"] = tag } }))
        assert.same({ 304, "" }, { response.status, response.body })
        local path = root .. "/copy"
        local file <close> = assert(io.open(path, "w"))
        file:write(big:sub(1, 123456))
        file:close()
        response = assert(own:download(base .. "/big", path, { resume = tag }))
        assert.same({ 206, 300000 - 123456, 300000 }, { response.status, response.received, response.size })
        assert.is_true(big == io.open(path):read "a")
        os.remove(path)
      end)
    end)

    it("says who it is, when that is asked, " .. how, function()
      run(function()
        local own <close> = session()
        assert.equal(401, assert(own:get(base .. "/private/file.txt")).status)
        assert.equal(200, assert(own:get(base .. "/private/file.txt", { auth = { "me", "secret" } })).status)
        assert.equal(401, assert(own:get(base .. "/private/file.txt", { auth = { "me", "secrets" } })).status)
        assert.equal(200, assert(own:get(("http://me:secret@127.0.0.1:%d/private/big"):format(server.port))).status)
      end)
    end)

    it("reads that its body is refused, " .. how, function()
      run(function()
        local own <close> = session()
        for _ = 1, 3 do
          local response = assert(own:post(base .. "/answer", { data = ("x"):rep(1001), expect = 10 }))
          assert.equal(413, response.status)
        end
        assert.equal("POST 1000", assert(own:post(base .. "/post", { data = ("x"):rep(1000) })).body)
      end)
    end)

    it("gives up an answer that dribbles when its time is over, " .. how, function()
      run(function()
        local response, err = http.get(base .. "/limited", { timeout = 0.3, proxies = false, decode = false })
        assert.is_nil(response)
        assert.equal("ETIMEDOUT", err.name)
      end)
    end)
  end
end)
