-- Messages out of streams: heads cut anywhere, bodies as streams.
local csock = require "csock"
local ciphered = require "spec.support.ciphered"
local errno = csock.errno
local http = require "csock.core".http
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local streams = require "spec.support.streams"
local vectors = require "spec.http.vectors"

local in_pieces, reader = streams.in_pieces, streams.reader

after_each(streams.close_all)

-- What a call gave, to be compared: errors by their texts.
local function results(...)
  local list = table.pack(...)
  for i = 1, list.n do
    if csock.is_error(list[i]) then list[i] = list[i].status .. " " .. list[i].strerror end
  end
  return list
end

describe("a head", function()
  local function check(how, run, vectors_of, parse, read)
    it("is the same at every cut as whole, " .. how, function()
      run(function()
        for name, case in pairs(vectors_of) do
          local whole = results(parse(case[1], case.method))
          for _, size in ipairs { 1, 2, 3, 7, #case[1] } do
            local st = in_pieces(case[1], size)
            local one = results(read(st, case.method))
            if whole[1] then whole = { whole[1], n = 1 } end
            assert.same(whole, one, name)
            assert.equal(0, whole[1] and st:buffered() or 0, name)
            streams.close_all()
          end
        end
      end)
    end)
  end

  for how, run in pairs(streams.ways) do
    check("of a request, " .. how, run, vectors.requests, function(bytes) return http.parse_request(bytes) end,
      function(st) return http.read_request(st) end)
    check("of a response, " .. how, run, vectors.responses, http.parse_response, http.read_response)
  end

  it("has the same limits at every cut as whole", function()
    local bytes = "GET /abc HTTP/1.1\r\nHost: a\r\nX: 123456789\r\nY: z\r\n\r\n"
    for name, most in pairs { line = 20, field = 20, fields = 5, head = #bytes + 1 } do
      for limit = 1, most do
        local limits = http.limits { [name] = limit }
        local whole = results(http.parse_request(bytes, 1, limits))
        for _, size in ipairs { 1, 2, 3, 5 } do
          local one = results(http.read_request(in_pieces(bytes, size), limits))
          if whole[1] then whole = { whole[1], n = 1 } end
          assert.same(whole, one, ("%s = %d, %d at a time"):format(name, limit, size))
          streams.close_all()
        end
      end
    end
  end)

  it("leaves what comes after it in the stream", function()
    local st, peer = reader()
    peer:sendall "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nrest"
    peer:close()
    assert.equal("/1", http.read_request(st).target)
    assert.equal("/2", http.read_request(st).target)
    assert.equal("rest", st:read "a")
  end)

  it("is nil alone at the end of the stream", function()
    for _, bytes in ipairs { "", "\r\n" } do
      assert.same({ n = 1 }, table.pack(http.read_request(in_pieces(bytes, 1))))
    end
    assert.same({ n = 1 }, table.pack(http.read_response(in_pieces("", 1))))
  end)

  it("brings a body with it that has come as a whole, and no byte of what follows", function()
    local head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    local stream = in_pieces(head .. "hello" .. head .. "hell", 200)
    assert.equal("hello", http.read_response(stream).bytes)
    local second = http.read_response(stream)
    assert.is_nil(second.bytes)
    assert.equal("hell", http.body(stream, second.body, second.length):read(4))
    stream = in_pieces(head .. "hello", 200)
    assert.is_nil(http.read_response(stream, "HEAD").bytes)
    assert.equal(5, #stream:read "a")
  end)

  it("is waited for where nothing has come, which can be asked", function()
    local a, b = streams.pair()
    local stream = b:makefile()
    assert.is_true(http.quiet(stream))
    a:sendall("x")
    assert.is_false(http.quiet(stream))
    assert.equal("x", stream:read(1))
    assert.is_true(http.quiet(stream))
    a:close()
    assert.is_false(http.quiet(stream))
    stream:close()
    assert.is_false(http.quiet(stream))
  end)

  it("that is cut is an error", function()
    local bytes = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for n = 1, #bytes - 1 do
      local nothing, err, code = http.read_request(in_pieces(bytes:sub(1, n), 5))
      assert.is_nil(nothing)
      assert.matches("ended in the middle", tostring(err))
      assert.same({ errno.EBADMSG, 400 }, { code, err.status })
    end
  end)

  it("that is refused stays in the stream", function()
    local st = in_pieces("GET / HTTP/1.1\r\n\r\n", 3)
    for _ = 1, 2 do assert.equal(400, select(2, http.read_request(st)).status) end
    assert.equal("GET / HTTP/1.1", st:read())
  end)

  for how, run in pairs(streams.ways) do
    it("times out and can be asked for again " .. how, function()
      run(function()
        local st, peer, s = reader()
        s:settimeout(0.01)
        for _, piece in ipairs { "\r", "\nGET / HT", "TP/1.1\r", "\nHost: a\r\nA", ": b\r\n" } do
          peer:send(piece)
          local nothing, err, code = http.read_request(st)
          assert.is_nil(nothing)
          assert.same({ "read_request", errno.ETIMEDOUT }, { err.call, code })
        end
        peer:send "\r\n"
        assert.equal("b", http.read_request(st).headers.a)
      end)
    end)

    it("is begun anew when another call has taken its beginning " .. how, function()
      run(function()
        local st, peer = reader()
        local head
        local task = csock.spawn(function() head = http.read_request(st) end)
        local sender = csock.spawn(function()
          peer:send "POST / HTTP/1.1\r\nA: b\r\n"
          csock.sleep(0.01)
          assert.equal("POST / HTTP/1.1", st:read())
          assert.equal("A: b", st:read())
          peer:send "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        end)
        if how:find "task" then
          task:join()
          sender:join()
        else
          csock.run()
        end
        assert.same({ "Host", "a", host = "a" }, head.headers)
      end)
    end)
  end

  it("costs no more a byte at a time than as many bytes that nobody looks at", function()
    local st, peer = reader()
    local lines = ("X: " .. ("0123456789"):rep(63) .. "\r\n"):rep(math.floor(98 / process.slowness))
    local bytes = "GET / HTTP/1.1\r\nHost: a\r\n" .. lines .. "\r\n"
    local function cost(read)
      csock.spawn(function()
        for i = 1, #bytes do
          peer:send(bytes:sub(i, i))
          csock.yield()
        end
      end)
      local task = csock.spawn(read)
      local began = os.clock()
      csock.run()
      assert(task:join())
      return os.clock() - began
    end
    local plain = cost(function() return st:read(#bytes) end)
    assert.is_true(cost(function() return http.read_request(st) end) < 2 * plain)
  end)

  it("is taken from any stream, and from nothing else", function()
    local st, w = streams.pipe_reader()
    posix.write(w, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcdef")
    posix.close(w)
    local head = assert(http.read_request(st))
    assert.equal("abc", http.body(st, head.body, head.length):read "a")
    assert.equal("def", st:read "a")
    assert.has_error(function() http.read_request(io.stdin) end)
    assert.has_error(function() http.read_request(st, {}) end)
    assert.has_error(function() http.read_response(st, {}) end)
    st:close()
    assert.equal("EBADF", select(2, http.read_request(st)).name)
  end)
end)

describe("a body", function()
  -- The body of `kind` in `bytes`, which come in pieces, and the connection's stream.
  local function body_in(bytes, size, ...)
    local st = in_pieces(bytes, size)
    return streams.keep((http.body(st, ...))), st
  end

  for how, run in pairs(streams.ways) do
    it("in chunks is the same at every cut, " .. how, function()
      run(function()
        for name, case in pairs(vectors.chunks) do
          local bytes, decoder = case[1], http.decoder()
          local whole, why = decoder:feed(bytes)
          for _, size in ipairs { 1, 2, 3, 7, #bytes } do
            local body, st = body_in(bytes .. "more", size, "chunked")
            local text, err = body:read "a"
            if whole then
              assert.equal(whole, text, name)
              assert.is_true(http.body_ended(body))
              assert.same(case.trailers or {}, http.body_trailers(body))
              assert.is_nil(body:read(1))
              assert.equal("more", st:read "a")
            else
              assert.same({ nil, why.strerror, "EBADMSG" }, { text, err.strerror, err.name }, name)
              assert.is_false(http.body_ended(body))
            end
            streams.close_all()
          end
        end
      end)
    end)

    it("of a length is what comes up to it, " .. how, function()
      run(function()
        for size = 1, 8 do
          local body, st = body_in("hello\nyou", size, "length", 6)
          assert.equal("hello", body:read())
          assert.is_true(http.body_ended(body))
          assert.is_nil(body:read())
          assert.same({}, http.body_trailers(body))
          assert.equal("you", st:read "a")
        end
      end)
    end)

    it("of no length ends with the connection, " .. how, function()
      run(function()
        for size = 1, 9 do
          local body = body_in("hello\nyou", size, "close")
          assert.same({ "hello", "you" }, { body:read("l", "a") })
          assert.is_nil(body:read())
          assert.is_true(http.body_ended(body))
        end
      end)
    end)

    it("that is cut is an error in every way of reading it, " .. how, function()
      run(function()
        local ways = {
          function(body) return body:read "a" end, function(body) return body:read(7) end,
          function(body) return body:read "l" end, function(body) return body:readline() end,
          function(body) return body:readlines() end, function(body) return body:read_until "x" end,
          function(body) return body:peek(7) end,
          function(body)
            local ok, err = pcall(body:lines())
            assert.is_false(ok)
            return nil, err, err.errno
          end,
        }
        for _, way in ipairs(ways) do
          for kind, bytes in pairs { length = "hello", chunked = "7\r\nhello" } do
            local body = body_in(bytes, 2, kind, 7)
            for _ = 1, 2 do
              local nothing, err, code = way(body)
              assert.is_nil(nothing)
              assert.matches("ended in the middle of a message %[EBADMSG%]", tostring(err))
              assert.equal(errno.EBADMSG, code)
            end
            assert.equal("hello", body:read(5)) -- what did come
            assert.equal(errno.EBADMSG, select(3, body:read(1)))
            assert.is_false(http.body_ended(body))
          end
        end
      end)
    end)

    it("waits, times out, and goes on, " .. how, function()
      run(function()
        local st, peer, s = reader()
        local body = streams.keep(http.body(st, "chunked"))
        s:settimeout(0.01)
        for _, piece in ipairs { "5", "\r\nhel", "lo", "\r", "\n6;a=", '"b"\r\n', " world", "\r\n0\r\nA: ", "b\r\n" } do
          peer:send(piece)
          assert.equal(errno.ETIMEDOUT, select(3, body:read "a"))
        end
        peer:send "\r\nnext\n"
        assert.equal("hello world", body:read "a")
        assert.equal("b", http.body_trailers(body).a)
        assert.equal("next", st:read())
      end)
    end)

    it("gives what has come without waiting for the rest, " .. how, function()
      run(function()
        local st, peer = reader()
        local body = streams.keep(http.body(st, "chunked"))
        peer:send "5\r\nhello\r\n5\r\nwor"
        assert.equal("hellowor", body:peek())
        assert.equal("hellowor", body:read(8))
      end)
    end)
  end

  it("of nothing has ended", function()
    for _, body in ipairs { (body_in("x", 1, "none")), (body_in("x", 1, "length", 0)) } do
      assert.is_true(http.body_ended(body))
      assert.equal("", body:read "a")
      assert.is_nil(body:read())
    end
  end)

  it("that has ended or is there needs nothing from the kernel, in a task either", function()
    streams.in_task(function()
      local st, peer = reader()
      peer:send "GET / HTTP/1.1\r\nHost: a\r\n\r\nhello0\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
      assert(http.read_request(st))
      local body = streams.keep(http.body(st, "length", 5))
      assert.equal("hello", body:read "a")
      assert.is_nil(body:read())
      body = streams.keep(http.body(st, "chunked"))
      assert.equal("", body:read "a")
      assert.is_nil(body:read())
      assert.equal("/2", http.read_request(st).target)
    end)
  end)

  it("is as large as it is, in either framing, with little in memory", function()
    local chunk, count = ("0123456789abcdef"):rep(4096), 64
    local st, peer = reader()
    csock.spawn(function()
      for _ = 1, count do assert(peer:sendall(chunk)) end
      for _ = 1, count do assert(peer:sendall("10000\r\n" .. chunk .. "\r\n")) end
      assert(peer:sendall "0\r\n\r\n.")
    end)
    local got = { 0, 0 }
    csock.spawn(function()
      for i, kind in ipairs { "length", "chunked" } do
        local body = streams.keep(http.body(st, kind, #chunk * count))
        for piece in body:lines(10007) do
          local at = got[i] % 16 + 1
          assert.equal(chunk:sub(at, at + #piece - 1), piece)
          got[i] = got[i] + #piece
        end
      end
      assert.equal(".", st:read(1))
    end)
    csock.run()
    assert.same({ #chunk * count, #chunk * count }, got)
  end)

  it("over its limit is an error", function()
    local limits = http.limits { body = 5 }
    local body = body_in("3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n", 100, "chunked", nil, limits)
    local nothing, err = body:read "a"
    assert.is_nil(nothing)
    assert.matches("body is longer", tostring(err))
    assert.same({ "http", 413, "EMSGSIZE" }, { err.kind, err.status, err.name })
    assert.equal("abc", body:read(3))
  end)

  it("has its connection's limit", function()
    local a, b = streams.pair()
    local st = streams.keep(a:makefile("r", -1, { limit = 4 }))
    b:send "hello\n"
    local body = streams.keep(http.body(st, "length", 6))
    assert.equal(errno.EMSGSIZE, select(3, body:read()))
    assert.equal("hell", body:read(4))
  end)

  it("closes nothing but itself, and ends with its connection", function()
    local st, peer, s = reader()
    peer:send "hello"
    local body = http.body(st, "length", 10)
    assert.equal("he", body:read(2))
    assert.is_true(body:close())
    assert.equal(errno.EBADF, select(3, body:read(1)))
    assert.is_true(s:fileno() >= 0)
    body = http.body(st, "length", 10)
    peer:send "more"
    assert.equal("m", body:read(1)) -- what the other body has received is lost with it
    st:close()
    assert.equal("ore", body:read(3))
    assert.equal(errno.EBADF, select(3, body:read(1)))
    s:close()
    assert.equal(-1, body:fileno())
    body:close()
    assert.equal(errno.EBADF, select(3, body:read(1)))
  end)

  it("is woken in a task when the socket is closed", function()
    local st, _, s = reader()
    local body, code = http.body(st, "length", 10), nil
    csock.spawn(function() code = select(3, body:read "a") end)
    csock.spawn(function()
      st:close()
      s:close()
    end)
    csock.run()
    assert.equal(errno.EBADF, code)
  end)

  it("is readable for select while bytes of it are in the connection's stream", function()
    local st, peer = reader()
    peer:send "\nhello"
    st:read()
    local body = streams.keep(http.body(st, "length", 5))
    assert.same({ body }, (csock.select({ body }, {}, {}, 0)))
    assert.equal("hello", body:read "a")
  end)

  for how, run in pairs(streams.ways) do
    it("is what sendfile sends of it, and nothing else, " .. how, function()
      run(function()
        local st, peer = reader()
        local out, other = streams.pair()
        local body = streams.keep(http.body(st, "chunked"))
        csock.spawn(function()
          for _, piece in ipairs { "5\r\nhel", "lo\r\n6;a\r\n worl", "d\r\n0\r\n\r\nnext" } do
            peer:send(piece)
            csock.sleep(0.01)
          end
        end)
        local task = csock.spawn(function() return out:sendfile(body) end)
        if how:find "task" then task:join() else csock.run() end
        assert.equal(11, (task:join()))
        assert.equal("hello world", other:recv(100))
        assert.equal("next", st:read(4))
        assert.is_true(http.body_ended(body))
      end)
    end)
  end

  it("cannot be written to", function()
    local body = body_in("x", 1, "length", 1)
    assert.is_nil(body:write "y")
  end)

  it("must be one", function()
    local st = reader()
    assert.has_error(function() http.body_ended(st) end)
    assert.has_error(function() http.body_trailers(st) end)
    assert.has_error(function() http.body(st, "tunnel") end)
    assert.has_error(function() http.body(st, "length") end)
    assert.has_error(function() http.body(st, "length", -1) end)
    assert.has_error(function() http.body(io.stdin, "none") end)
  end)
end)

describe("messages over a transport", function()
  local peer
  setup(function() peer = ciphered.start() end)
  teardown(function() peer:kill() end)
  after_each(keep.close)

  for how, run in pairs(streams.ways) do
    it("are read as from the kernel, " .. how, function()
      run(function()
        local s = ciphered.dial(peer, "echo", ciphered.LIMIT)
        local st, text = streams.keep(s:makefile()), ciphered.pattern(2000)
        for _ = 1, 3 do
          local chunks = {}
          for i = 1, #text, 700 do
            local chunk = text:sub(i, i + 699)
            chunks[#chunks + 1] = ("%x\r\n%s\r\n"):format(#chunk, chunk)
          end
          assert(s:sendall("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            .. table.concat(chunks) .. "0\r\nA: b\r\n\r\n"
            .. "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " .. #text .. "\r\n\r\n" .. text))
          for _, trailer in ipairs { "b", false } do
            local head = assert(http.read_request(st))
            local body <close> = http.body(st, head.body, head.length)
            assert.equal(text, body:read "a")
            assert.equal(trailer or nil, http.body_trailers(body).a)
          end
        end
        assert(s:shutdown(csock.SHUT_WR))
        assert.is_nil(http.read_request(st))
      end)
    end)
  end
end)

describe("the time of a head", function()
  for how, run in pairs(streams.ways) do
    it("begins with its first byte, " .. how, function()
      run(function()
        local st, peer, socket = reader()
        socket:settimeout(10)
        peer:send "GET / HT"
        local began = csock.now()
        local head, err, number = http.read_request(st, nil, 0.05)
        assert.is_nil(head)
        assert.is_true(err:is(csock.timeout))
        assert.equal(errno.ETIMEDOUT, number)
        assert.is_true(csock.now() - began < 5)
        assert.equal(8, st:buffered())
      end)
    end)

    it("is no longer than the stream's, which holds while nothing has come, " .. how, function()
      run(function()
        local st, _, socket = reader()
        socket:settimeout(0.05)
        assert.equal(errno.ETIMEDOUT, select(3, http.read_request(st, nil, 1000)))
        assert.equal(0, st:buffered())
      end)
    end)
  end
end)

describe("the pace of a body", function()
  -- Sends so many bytes, one after the other.
  local function dribble(peer, count, pause)
    return csock.spawn(function()
      for _ = 1, count do
        csock.sleep(pause)
        if not peer:send "x" then return end
      end
    end)
  end

  it("ends the reads of one who sends too little, however many they are", function()
    csock.run(function()
      local st, peer = reader()
      local body = http.body(st, "length", 1000, nil, 0.1, 1000)
      local _ <close> = dribble(peer, 1000, 0.01)
      local count, got, err, number = 0
      repeat
        got, err, number = body:read(1)
        count = count + 1
      until not got
      assert.is_true(err:is(csock.timeout))
      assert.equal(errno.ETIMEDOUT, number)
      assert.is_true(count < 100)
      assert.equal(408, http.body_status(body))
    end)
  end)

  it("is the only reason for which a read runs out of time, also where a byte comes at the last moment", function()
    csock.run(function()
      for _ = 1, 20 do
        local st, peer = reader()
        local body = http.body(st, "length", 1000, nil, 0.02, 100)
        local task = csock.spawn(function() return body:read "a", http.body_status(body) end)
        csock.sleep(0.01)
        peer:send "x"
        local busy = csock.now() + 0.02 -- the byte and the deadline are met in the same turn
        while csock.now() < busy do end
        local got, status = task:join()
        assert.same({ nil, 408 }, { got, status })
      end
    end)
  end)

  it("lets one who sends enough take longer than its time, also in one read", function()
    csock.run(function()
      local st, peer, socket = reader()
      socket:settimeout(0.05) -- it is not asked
      local body = http.body(st, "length", 30, nil, 5, 1)
      local _ <close> = dribble(peer, 30, 0.01)
      assert.equal(("x"):rep(30), body:read "a")
      assert.is_nil(http.body_status(body))
    end)
  end)

  it("counts no time in which nobody reads", function()
    csock.run(function()
      local st, peer = reader()
      local body = http.body(st, "length", 2, nil, 0.2)
      peer:send "a"
      assert.equal("a", body:read(1))
      csock.sleep(0.3)
      local _ <close> = dribble(peer, 1, 0.01)
      assert.equal("x", body:read(1))
    end)
  end)

  it("says what a body was refused with", function()
    local st, peer = reader()
    peer:send "xyz\r\n"
    local body = http.body(st, "chunked")
    assert.is_nil(http.body_status(body))
    assert.is_nil((body:read "a"))
    assert.equal(400, http.body_status(body))
  end)
end)
