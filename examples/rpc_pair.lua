-- rpc_pair.lua: functions that are called from another program: one serves them, the other calls them. By
-- XML-RPC, or by JSON-RPC. The client sends the numbers of each line that is typed, prints their sum, and
-- then, in one request, the least and the greatest of them; an empty line or Ctrl-D ends it.
--
--   lua5.4 examples/rpc_pair.lua [host] [port]
--   --serve: serves, on this machine alone unless told otherwise; a browser gets a page about it
--   --json: JSON-RPC 2.0
--
-- Python may be either side of it: xmlrpc.client.ServerProxy("http://localhost:8000/").add(1, 2)
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))

local PATIENCE = 30 -- seconds

-- Adds up numbers.
local function add(...)
  local sum = 0
  for _, number in ipairs { ... } do sum = sum + number end
  return sum
end

-- The least of some numbers.
local function least(...) return math.min(...) end

-- The greatest of some numbers.
local function greatest(...) return math.max(...) end

local function make_server(json, host, port)
  if json then return assert(require("csock.jsonrpc").SimpleJSONRPCServer { host, port }) end
  local server = assert(require("csock.xmlrpc").DocXMLRPCServer { host, port })
  server:set_server_title "Sums"
  server:register_multicall_functions()
  return server
end

local function serve(json, host, port)
  local server <close> = make_server(json, host, port)
  server:register_function(add, "add")
  server:register_function(least, "least")
  server:register_function(greatest, "greatest")
  server:register_introspection_functions()
  example.announce(server.socket)
  example.serve(server)
end

local function numbers_of(line)
  local numbers = {}
  for word in line:gmatch "%S+" do
    local number = word:find "^[+-]?%d+%.?%d*$" and tonumber((word:gsub("^+", "")))
    if not number then return nil, word end
    numbers[#numbers + 1] = number
  end
  return numbers
end

local function call(json, host, port)
  local rpc = require(json and "csock.jsonrpc" or "csock.xmlrpc")
  local proxy <close> = assert(rpc.ServerProxy(("http://%s:%d/"):format(host, port), { timeout = PATIENCE }))
  print("it can " .. example.clean(table.concat(assert(proxy.system.listMethods()), ", ")))
  while true do
    local line = example.prompt "> "
    if not line or line == "" then break end
    local numbers, word = numbers_of(line)
    if not numbers then
      print(("%s is no number"):format(example.clean(word)))
    else
      local sum, err = proxy.add(table.unpack(numbers))
      print("sum " .. (sum and tostring(sum) or tostring(err)))
      local multi = rpc.MultiCall(proxy)
      multi.least(table.unpack(numbers))
      multi.greatest(table.unpack(numbers))
      for i, value, why in assert(multi()):each() do
        print((i == 1 and "least " or "greatest ") .. example.clean(tostring(value or why)))
      end
    end
  end
end

example.run(function()
  local json, serving = example.option "--json", example.option "--serve"
  local host, port = example.arguments("host", "localhost", "port", 8000);
  (serving and serve or call)(json, host, port)
end)
