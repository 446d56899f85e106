-- lookup.lua: a name's address, for the reactor's callbacks.
local csock = require "csock"
local loop = require "csock.loop"
local reason = require "csock.reactor.reason"
local turns = require "csock.reactor.turns"

-- A deferred of a name's first address of a family. It is called back in the reactor's task, and fails with
-- `DNSLookupError`. `timeout`: in seconds; nil: as long as it takes.
return function(name, family, kind, timeout)
  local task
  local d = require("csock.defer").Deferred(function() task:cancel() end)
  task = loop.spawn(function()
    local infos, err = csock.getaddrinfo(name, nil, { family = family, type = kind, timeout = timeout })
    turns.post(function()
      if d.called then return end -- cancelled meanwhile
      if infos then d:callback(infos[1].addr) else d:errback(reason.DNSLookupError(err)) end
    end)
  end)
  return d
end
