-- settings.lua: what the prompt can be told to do otherwise.
local M = {}

M.set = {
  usage = "[NAME NUMBER]", complete = "setting",
  help = "how much of a value is printed: items (of a table), depth, strings (bytes)",
  run = function(session, argument)
    local name, value = argument:match "^(%a+)%s+(%d+)$"
    if argument == "" then
      for _, known in ipairs { "items", "depth", "strings" } do
        session:print(("%s %d"):format(known, session.settings[known]))
      end
    elseif not name or not session.settings[name] then
      return nil, "expects items, depth or strings, and a number"
    else
      session.settings[name] = math.max(1, math.tointeger(tonumber(value)) or 1)
    end
  end,
}

return M
