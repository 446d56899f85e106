-- What is tried with a failing allocator of csrc/coding; see allocations.lua.
local LONG = ("a line = of text\r\n."):rep(500)

-- A coder, and whether what it makes is turned back by another.
local function row(make, back)
  return {
    prepare = function() return require "csock.core".coding end,
    run = function(coding)
      local coder = make(coding)
      local whole = assert(coder:whole(LONG))
      local pieces = {}
      for at = 1, #LONG, 1000 do pieces[#pieces + 1] = assert(coder:push(LONG:sub(at, at + 999))) end
      pieces[#pieces + 1] = assert(coder:finish())
      assert(table.concat(pieces) == whole)
      assert(assert(back(coding):whole(whole)) == LONG or whole:find "%.\r\n$")
    end,
  }
end

return {
  ["base64"] = row(function(coding) return coding.base64_encoder(76) end, function(c) return c.base64_decoder() end),
  ["quoted-printable"] = row(function(coding) return coding.quoted_encoder(true) end, function(coding)
    return coding.quoted_decoder()
  end),
  ["dots"] = row(function(coding) return coding.dots_stuffer() end, function(c) return c.dots_unstuffer() end),
  ["a refusal of what is no base64, and what is wrong"] = {
    prepare = function() return require "csock.core".coding end,
    run = function(coding)
      local bytes, err = coding.base64_decoder():whole "Z"
      assert(bytes == nil and tostring(err):find "no Base64")
      assert(select("#", coding.base64_decoder(true):whole "Z!") == 3)
    end,
  },
}
