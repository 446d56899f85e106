--- Types what stands in the transcripts of a guide page, and writes down what the prompt answers:
-- `lua doc/transcript.lua doc/prompt.md`.
--
-- A transcript is a block between ```text and ``` with lines `csock 1> INPUT`, and `      .> INPUT` where an input goes
-- on; all else in it is answers, and is written anew. All transcripts of a page are one session.
local csock = require "csock"
local sessions = require "csock.repl.session"
local state = require "csock.repl.state"

local M = {}

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  return lines
end

-- The inputs of a transcript.
local function inputs_of(lines)
  local inputs = {}
  for _, line in ipairs(lines) do
    local first, rest = line:match "^csock %d+> (.*)$", line:match "^%s+%.> (.*)$"
    if first then inputs[#inputs + 1] = first end
    if rest and inputs[1] then inputs[#inputs] = inputs[#inputs] .. "\n" .. rest end
  end
  return inputs
end

-- Types an input; what the session says afterwards is part of it, until the tasks are at rest.
local function type_input(session, input, printed)
  for i, line in ipairs(lines_of(input .. "\n")) do
    printed[#printed + 1] = session:prompt(i > 1) .. line .. "\n"
  end
  session:run(input)
  csock.sleep(0.02) -- what goes on in the background answers, too
end

--- Plays the transcripts of a page.
-- @tparam string text
-- @treturn string the page, with the answers of now
function M.play(text)
  local printed
  local function out(piece) printed[#printed + 1] = piece end
  local own = {
    print = function(...)
      local parts = table.pack(...)
      for i = 1, parts.n do parts[i] = tostring(parts[i]) end
      out(table.concat(parts, "\t") .. "\n")
    end,
  }
  local page = {}
  local before = csock.debug(true)
  csock.run(function()
    state.own(csock.loop.current()) -- as at the prompt
    csock.loop.tasks()
    local session <close> = sessions.new { out = out, own = own }
    local at = 1
    while true do
      local first, last, block = text:find("```text\n(.-)```", at)
      if not first then break end
      printed = {}
      for _, input in ipairs(inputs_of(lines_of(block))) do type_input(session, input, printed) end
      page[#page + 1] = text:sub(at, first - 1) .. "```text\n" .. table.concat(printed) .. "```"
      at = last + 1
    end
    page[#page + 1] = text:sub(at)
    csock.loop.stop()
  end)
  csock.debug(before)
  return table.concat(page)
end

if arg and arg[0] and arg[0]:find "transcript.lua$" then
  local path = assert(arg[1], "the name of a page")
  local file <close> = assert(io.open(path))
  local text = M.play(file:read "a")
  local new <close> = assert(io.open(path, "w"))
  new:write(text)
end

return M
