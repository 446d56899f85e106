local status = require "csock.http.status"
local headers = require "csock.wire.headers"

describe("csock.http.status", function()
  it("has a phrase that can stand in a status line for each code", function()
    for code, phrase in pairs(status.responses) do
      assert.equal("integer", math.type(code))
      assert.is_true(code >= 100 and code <= 599)
      assert.is_true(#phrase > 0 and headers.is_value(phrase))
    end
  end)

  it("knows the codes that a server answers refused requests with", function()
    for _, code in ipairs { 400, 408, 413, 414, 417, 431, 500, 501, 503, 505 } do
      assert.is_string(status.responses[code])
    end
  end)
end)
