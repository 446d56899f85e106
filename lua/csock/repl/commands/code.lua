-- code.lua: commands about code: help, loading modules anew, keeping what was typed.
local commands -- loaded late: it loads this
local csock = require "csock"
local help = require "csock.help"
local internal = require "csock.loop.internal"
local reload = require "csock.repl.reload"
local script = require "csock.repl.script"

local M = {}

M.help = {
  usage = "[NAME]",
  help = "these commands; or what a function does, in a few lines",
  run = function(session, name)
    commands = commands or require "csock.repl.commands"
    if name == "" then
      session:print(commands.help(session.columns()))
      session:print "\nhelp() tells of csock's modules, :help NAME and help(value) of one thing."
      return
    end
    local text = help.text(name)
    if not text then return nil, "nothing is known of " .. name end
    session:print(text)
  end,
}

M.doc = {
  usage = "NAME", help = "all that the manual has about a name",
  run = function(session, name)
    if name == "" then return nil, "expects a name, such as csock.spawn" end
    local text = help.text(name, { long = true })
    if not text then return nil, "nothing is known of " .. name end
    session:print(text)
  end,
}

M.reload = {
  usage = "MODULE", complete = "module",
  help = "loads a module anew; what it made goes on, by the new code. On an error the old code stays",
  run = function(session, name)
    if name == "" then return nil, "expects the name of a module" end
    local changed, why = reload.module(name)
    if not changed then return nil, why end
    session:print(("%s: %d functions are new"):format(name, changed))
  end,
}

local POLL = 0.25 -- seconds

-- The file's whole text; nil while there is none.
local function content(path)
  local file <close> = internal.open_file("repl", path, "rb")
  return file and file:read "a"
end

-- A task: calls a function whenever a file has other bytes than before.
local function watch(session, path, before, f)
  while not session.closed do
    csock.sleep(POLL)
    local now = content(path)
    if now and now ~= before then
      before = now
      f()
    end
  end
end

M.watch = {
  usage = "MODULE|FILE", complete = "file",
  help = "loads a module anew whenever it is saved; or runs a file, now as well (:kill ends it)",
  run = function(session, name)
    if name == "" then return nil, "expects the name of a module, or of a file" end
    local path = package.searchpath(name, package.path)
    local function again()
      if path then return reload.module(name) end
      return reload.file(name, session.locals)
    end
    local before = content(path or name)
    if not path then
      local ok, why = again()
      if not ok then return nil, why end
    end
    csock.spawn(watch, session, path or name, before, function()
      local ok, why = again()
      session:print(ok and name .. ": loaded anew" or why)
    end):daemon():set_name("watch " .. name)
  end,
}

M.save = {
  usage = "FILE", complete = "file",
  help = "writes what was typed here, and did not fail, as a script",
  run = function(session, path)
    if path == "" then return nil, "expects the name of a file" end
    local file <close>, why = internal.open_file("repl", path, "w")
    if not file then return nil, why end
    local written, problem = file:write(script(session.done, session.locals))
    if not written then return nil, problem end
    session:print(("%d inputs are in %s"):format(#session.done, path))
  end,
}

return M
