-- script.lua: what was typed, as a program of its own: what is no statement becomes one, and csock's names, which the
-- prompt has without `require`, are made locals at its beginning. All of it runs in the loop, as it did at the prompt.
local chunk = require "csock.repl.chunk"
local csock = require "csock"
local lexer = require "csock.repl.lexer"
local names = require "csock.repl.names"

-- The words of a text, without comments.
local function words_of(text)
  local words = {}
  for _, word in ipairs(lexer(text)) do
    if word.kind ~= "comment" then words[#words + 1] = word end
  end
  return words
end

local function text_of(word) return word and word.text end

-- Calls a function with each name in a text that is a variable's.
local function each_variable(text, f)
  local words = words_of(text)
  for i, word in ipairs(words) do
    local before, after = text_of(words[i - 1]), text_of(words[i + 1])
    local is_field = before == "." or before == ":" or after == "=" and (before == "{" or before == ",")
    if word.kind == "name" and not is_field then f(word.text) end
  end
end

-- The name of the function that a text defines, if it does nothing else.
local function defined_function(text)
  local words = words_of(text)
  if text_of(words[1]) ~= "function" then return nil end
  local last = chunk.function_end(words, 1)
  if not last or last ~= #words then return nil end
  return text:match("^%s*([%w_.:]+)%s*%(", words[1].last + 1)
end

local function is_statement(text) return load(text, "=script", "t", {}) ~= nil end

-- An input as statements. `result`: names for what it gives, "" if none is needed.
local function statements(text, result)
  local code = assert(chunk.compile(text, "=script", {}))
  text = code.text
  if code.background then return ("csock.spawn(function()\n%s\nend)"):format(text) end
  if code.is_expression then
    if result == "" and is_statement(text) then return text end
    return (result == "" and "local _" or result) .. " = " .. text
  end
  local words, depth = words_of(text), 0
  for _, word in ipairs(words) do -- `return` at its end would be the script's
    if word.kind == "keyword" then
      depth = depth + chunk.depth(word.text)
      if depth == 0 and word.text == "return" then
        local values = text:sub(word.last + 1):gsub(";%s*$", "")
        if not values:find "%S" then return text:sub(1, word.first - 1) end
        return ("%s%s =%s"):format(text:sub(1, word.first - 1), result == "" and "local _" or result, values)
      end
    end
  end
  return text
end

-- Later definitions of a function take the places of the earlier ones, as they did for whoever had the function.
local function latest(inputs)
  local list, places = {}, {}
  for _, input in ipairs(inputs) do
    local name = defined_function(input.text)
    if name and places[name] then
      list[places[name]] = input
    else
      list[#list + 1] = input
      if name then places[name] = #list end
    end
  end
  return list
end

local is_module = {}
for _, name in ipairs(names.MODULES) do is_module[name] = true end

-- The inputs of a session, of each its `number` and `text`, as the text of a program. `locals`: the session's.
return function(inputs, locals)
  inputs = latest(inputs)
  local used, lines = {}, { 'local csock = require "csock"' }
  for _, input in ipairs(inputs) do
    each_variable(input.text, function(name)
      if used[name] then return end
      used[name] = true
      if name == "csock" or rawget(locals, name) ~= nil or rawget(_G, name) ~= nil then return end
      if is_module[name] then
        lines[#lines + 1] = ("local %s = require %q"):format(name, "csock." .. name)
      elseif csock[name] ~= nil then
        lines[#lines + 1] = ("local %s = csock.%s"):format(name, name)
      end
    end)
  end
  lines[#lines + 1] = "\ncsock.run(function()"
  for _, input in ipairs(inputs) do
    local own = "_" .. input.number
    local result = used[own] and own or used._ and "_" or ""
    lines[#lines + 1] = statements(input.text, result)
    if result == own and used._ then lines[#lines + 1] = "_ = " .. own end
  end
  lines[#lines + 1] = "end)\n"
  return table.concat(lines, "\n")
end
