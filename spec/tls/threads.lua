-- A host with several Lua states, each in a thread of its own, that all speak TLS: `lua5.4 spec/tls/threads.lua DIR`,
-- where DIR has good.pem and good.key, and SSL_CERT_DIR in the environment says whom to trust. Prints what each state
-- has counted, and those of states that follow one another.
local host = require "spec.support.host"

local CHUNK = ([[
  local dir = %q
  local csock, ssl = require "csock", require "csock.ssl"
  local count = 0
  local function serve()
    local context = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    assert(context:load_cert_chain(dir .. "/good.pem", dir .. "/good.key"))
    context.sni_callback = { localhost = context, ["*.test"] = context }
    return context
  end
  csock.run(function()
    for _ = 1, 3 do
      local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
        for data in function() return assert(conn:recv(100)) end do
          if data == "" then return end
          assert(conn:sendall(data))
        end
      end, { ssl = serve() }))
      local context = assert(ssl.create_default_context()) -- the process's authorities
      local group <close> = csock.loop.group()
      for _ = 1, 4 do
        group:spawn(function()
          for _ = 1, 3 do
            local s <close> = assert(csock.create_connection({ "127.0.0.1", server:getsockname().port },
              { ssl = context, server_hostname = "localhost", timeout = 60 }))
            for i = 1, 5 do
              assert(s:sendall(tostring(i)))
              assert(s:recv(10) == tostring(i))
            end
            assert(s:key_update())
            assert(#s:getpeercert().subjectAltName == 3)
            context:get_ca_certs()
            context:cert_store_stats()
            local refused, err = ssl.create_default_context():wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(),
              { server_hostname = "localhost" }):unwrap()
            assert(not refused and tostring(err) ~= "")
            count = count + 1
          end
        end)
      end
    end
  end)
  return count
]]):format(arg[1])

local function run(n)
  local list = {}
  for i = 1, n do list[i] = host() end
  for _, state in ipairs(list) do state:start(CHUNK) end
  for _, state in ipairs(list) do
    print(state:join())
    state:close()
  end
end

run(3)
run(1)
run(2)
