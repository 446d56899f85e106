-- ftp_get.lua: fetches a file by FTP, with a line that says how far it is. What has come is in FILE.part until all of
-- it is there; where it broke off, or was interrupted, the next start goes on.
--
--   lua5.4 examples/ftp_get.lua [host] [port] [path]
--
--   --to FILE      where it is saved (default: under its own name, in this directory)
--   --user NAME    log in as this one; it asks for the password (default: anonymous)
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local ftps = require "csock.ftp"

local PATIENCE = 30 -- seconds, for each step, and each piece of the file

-- The file to write to, at the place to go on from, and that place.
local function part_file(name, total)
  local file = example.check(io.open(name, "ab"))
  local have = file:seek "end"
  if have <= total then return file, have end
  file:close() -- the server's is another one now
  return example.check(io.open(name, "wb")), 0
end

-- Shows how far it is, whenever that is another per cent.
local function progress_of(total)
  local shown
  return function(count)
    local percent = total > 0 and count * 100 // total or 100
    if percent ~= shown then io.write(("\r%3d %% of %d bytes"):format(percent, total)):flush() end
    shown = percent
  end
end

example.run(function()
  local target = example.value("--to", "FILE")
  local user = example.value("--user", "NAME")
  local host, port, path = example.arguments("host", "localhost", "port", 21, "path", "README")
  target = target or path:match "[^/]+$" or example.fail("'%s' is no file", path)

  local ftp <close> = assert(ftps.FTP(host, { port = port, timeout = PATIENCE }))
  print(example.clean(ftp:getwelcome()))
  local password
  if user then
    password = example.secret(("password of %s: "):format(example.clean(user)))
    if not password then return end
  end
  assert(ftp:login(user, password))
  assert(ftp:voidcmd "TYPE I") -- bytes: of a text the size depends on its line ends
  local total, why = ftp:size(path)
  if not total then example.fail("%s", why or "the server does not say how large it is") end

  local part = target .. ".part"
  local file <close>, have = part_file(part, total)
  if have > 0 then print(("%d of %d bytes are here already"):format(have, total)) end
  local progress = progress_of(total)
  progress(have)
  local ok, err = true, nil
  if have < total then
    ok, err = ftp:retrbinary("RETR " .. path, file, { rest = have > 0 and have or nil, progress = progress })
  end
  print()
  example.check(file:close())
  if not ok then example.fail("%s; what has come is in %s: start it again to go on", err, part) end
  example.check(os.rename(part, target))
  print("saved to " .. example.clean(target))
  ftp:quit()
end)
