--- For specs of programs that use csock: time that passes at once, a network in memory, and a run that cannot hang and
-- leaves nothing behind.
--
--     local testing = require "csock.testing"
--     local it = testing.it(it, {virtual_time = true, network = {hosts = {"example.org"}, delay = 0.05}})
--
--     it("gives up after a minute", function()
--       local listener <close> = assert(csock.create_server {"", 80})
--       local _, err = http.get("http://example.org/", {timeout = 60})
--       assert.equal("ETIMEDOUT", err.name)
--     end)
--
-- Each part can be used by itself, with busted or without. See `doc/testing.md`.
-- @module csock.testing
local clock = require "csock.testing.clock"
local network = require "csock.testing.network"
local run = require "csock.testing.run"

return {
  clock = clock.clock,
  virtual_time = clock.virtual_time,
  network = network.network,
  run = run.run,
  it = run.it,
  busted = run.busted,
}
