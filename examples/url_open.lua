-- url_open.lua: opens a URL and prints the title of the page, or its first line; then copies it into a file, with a
-- line that says how far it is.
--
--   lua5.4 examples/url_open.lua [url] [file]
--
-- The URL may be one of http, https, file or data. Where no file is named, a temporary one is made, and removed again.
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local url = require "csock.url"

local PATIENCE = 30 -- seconds

example.run(function()
  local place, file = example.arguments("url", "http://localhost/", "file", "")
  if file == "" then file = nil end

  local page <close> = assert(url.urlopen(place, nil, { timeout = PATIENCE }))
  local text = assert(page:read "a")
  local title = text:match "<[tT][iI][tT][lL][eE][^>]*>%s*(.-)%s*</" or text:match "^[^\r\n]*"
  print(page.status, example.clean(page:geturl()))
  print(example.clean(title))

  local function progress(blocks, size, total)
    if total < 0 then return io.write("\r", blocks * size, " bytes"):flush() end
    io.write(("\r%d of %d bytes"):format(math.min(blocks * size, total), total)):flush()
  end
  local name, err = url.urlretrieve(place, file, progress, nil, { timeout = PATIENCE })
  print()
  assert(name, err)
  print("saved to " .. name)
  url.urlcleanup()
end)
