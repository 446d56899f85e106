-- news_headers.lua: prints the newest articles of a newsgroup: their numbers, from whom they are, and their subjects.
--
--   lua5.4 examples/news_headers.lua [host] [port] [group]
--
--   --last N    how many (default: 10)
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local nntp = require "csock.nntp"

local PATIENCE = 30 -- seconds, for each step

local function shown(value) return example.clean(nntp.decode_header(value or "")) end

example.run(function()
  local most = example.number("--last", 10, 1, 1000)
  local host, port, name = example.arguments("host", "localhost", "port", 119, "group", "comp.lang.lua")
  local news <close> = assert(nntp.NNTP(host, port, { timeout = PATIENCE }))

  local reply, count, first, last = news:group(name)
  assert(reply, count)
  print(("%s: about %d articles, from %d to %d"):format(example.clean(name), count, first, last))
  if count > 0 then
    local answer, overview = news:over { math.max(first, last - most + 1), last }
    assert(answer, overview)
    for _, row in ipairs(overview) do
      local number, fields = row[1], row[2]
      print(("%8d  %-30s  %s"):format(number, shown(fields.from), shown(fields.subject)))
    end
  end
  news:quit()
end)
