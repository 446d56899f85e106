-- failure.lua: ways in which a command ends that is no mistake in it: one line on standard error, and a status.
local M = {}

local Failure = { __tostring = function(self) return self.text end }
M.Failure = Failure

local function fail(status, text, ...)
  if select("#", ...) > 0 then text = text:format(...) end
  error(setmetatable({ status = status, text = text }, Failure), 0)
end

-- What the world refuses: status 1.
function M.fail(text, ...) fail(1, text, ...) end

-- What is no command line: status 2.
function M.usage(text, ...) fail(2, text, ...) end

function M.is(value) return getmetatable(value) == Failure end

-- Takes what a call has given: its results, or a failure in the error's words.
function M.check(value, err, ...)
  if value == nil or value == false then fail(1, "%s", tostring(err)) end
  return value, err, ...
end

-- The same where it is a word of the command line that is wrong.
function M.expect(value, complaint)
  if value == nil then fail(2, "%s", complaint) end
  return value
end

-- Ends by a signal, as others do that it ends.
function M.signal(name) error(setmetatable({ signal = name, text = name }, Failure), 0) end

-- Whether an error is what Ctrl-C raises.
function M.interrupted(err) return type(err) == "string" and err:find "interrupted!$" ~= nil end

return M
