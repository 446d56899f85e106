-- The module: its names, and descriptors of a service manager. The parts: socketserver/.
local csock = require "csock"
local class = require "csock.class"
local socketserver = require "csock.socketserver"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local serving = require "spec.support.serving"
local tree = require "spec.support.tree"

after_each(keep.close)

-- Attributes that are None in Python are nil here.
local NONE = {
  timeout = true, active_children = true, -- ForkingMixIn.timeout is not
}

describe("csock.socketserver", function()
  it("has every name of Python's module and its classes", function()
    local missing, count = {}, 0
    for place, name in tree.read "spec/data/python_names.tsv":gmatch "(socketserver[%w_.]*)\t([%w_]+)\n" do
      count = count + 1
      local class_name = place:match "%.(.*)"
      local where = class_name and socketserver[class_name] or socketserver
      if where[name] == nil and not NONE[name] then missing[#missing + 1] = place .. "." .. name end
    end
    assert.same({}, missing)
    assert.is_true(count > 90)
    assert.equal(300, socketserver.ForkingMixIn.timeout)
    assert.equal(300, socketserver.ForkingTCPServer.timeout)
  end)

  it("has Python's defaults", function()
    local defaults = {
      TCPServer = { request_queue_size = 5, allow_reuse_address = false, allow_reuse_port = false,
        address_family = csock.AF_INET, socket_type = csock.SOCK_STREAM },
      UDPServer = { max_packet_size = 8192, allow_reuse_address = false, socket_type = csock.SOCK_DGRAM },
      UnixStreamServer = { address_family = csock.AF_UNIX, socket_type = csock.SOCK_STREAM },
      UnixDatagramServer = { address_family = csock.AF_UNIX, socket_type = csock.SOCK_DGRAM },
      ForkingMixIn = { timeout = 300, max_children = 40, block_on_close = true },
      ThreadingMixIn = { daemon_threads = false, block_on_close = true },
      StreamRequestHandler = { rbufsize = -1, wbufsize = 0, disable_nagle_algorithm = false },
    }
    for name, attributes in pairs(defaults) do
      for attribute, value in pairs(attributes) do
        assert.equal(value, socketserver[name][attribute], name .. "." .. attribute)
      end
    end
  end)

  it("has its classes descend from each other as Python's do", function()
    local M = socketserver
    for _, pair in ipairs {
      { M.TCPServer, M.BaseServer }, { M.UDPServer, M.TCPServer }, { M.UnixStreamServer, M.TCPServer },
      { M.UnixDatagramServer, M.UDPServer }, { M.ThreadingTCPServer, M.ThreadingMixIn },
      { M.ThreadingTCPServer, M.TCPServer }, { M.ForkingUDPServer, M.ForkingMixIn },
      { M.ForkingUDPServer, M.UDPServer },
      { M.ThreadingUnixStreamServer, M.UnixStreamServer }, { M.PreforkTCPServer, M.PreforkMixIn },
      { M.StreamRequestHandler, M.BaseRequestHandler }, { M.DatagramRequestHandler, M.BaseRequestHandler },
    } do
      assert.is_true(class.issubclass(pair[1], pair[2]))
    end
  end)

  it("mixes its parts as one likes", function()
    local Server = class("Server", socketserver.ThreadingMixIn, socketserver.UnixStreamServer)
    local name = os.tmpname()
    os.remove(name)
    local server = keep(assert(Server(name, serving.Echo)))
    serving.during(server, function() assert.equal("hi", serving.ask_once(server, "hi")) end)
  end)
end)

describe("listen_fds", function()
  local use = [[
    local csock = require "csock"
    local socketserver = require "csock.socketserver"
    local fds, by_name = socketserver.listen_fds()
    print(#fds, table.concat(fds, " "), by_name.web, by_name.admin)
    if fds[1] then
      local serving = require "spec.support.serving"
      local server = assert(socketserver.TCPServer(nil, serving.Echo, { socket = fds[1] }))
      print("port " .. server.server_address[2], server.socket:get_inheritable())
      server:handle_request()
    end
  ]]

  -- A service manager: sets the variables for the very process that becomes the program.
  local function activate(count, pid, names)
    local manager = [[
      local csock = require "csock"
      local listener = assert(csock.create_server { "127.0.0.1", 0 })
      assert(listener:set_inheritable(true))
      os.execute(("exec 3<&%d 4<&%d; exec 5<&- 6<&- 7<&- 8<&- 9<&-; "):format(listener:fileno(), listener:fileno())
        .. 'LISTEN_PID=${FOR:-$$} LISTEN_FDNAMES=${NAMES:-web:admin} exec "$LUA" -e "$USE"')
    ]]
    return process.lua({ "-e", manager }, { env = {
      LUA = process.interpreter, USE = use, LISTEN_FDS = tostring(count), FOR = pid or false,
      NAMES = names or false } })
  end

  it("gives the descriptors that a service manager hands over, and a server takes them", function()
    local program <close> = activate(2)
    program:expect "^2\t3 4\t3\t4\n"
    local port = program:expect "port (%d+)\tfalse\n"
    local client <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 5 }))
    assert.equal("hi", serving.ask(client, "hi"))
    client:close()
    assert.equal(0, program:wait())
  end)

  it("gives the first of those with one name, and none that is not open", function()
    local program <close> = activate(3, nil, "web:web:admin")
    program:expect "^2\t3 4\t3\tnil\n"
    keep(assert(csock.create_connection { "127.0.0.1", program:expect "port (%d+)\t" })):close()
    assert.equal(0, program:wait())
  end)

  it("gives none that are for another process, and none where there are none", function()
    local program <close> = activate(2, "1")
    program:expect "^0\t\tnil\tnil\n"
    assert.equal(0, program:wait())
    assert.same({}, (socketserver.listen_fds()))
  end)

  it("does not mind variables that make no sense", function()
    for _, count in ipairs { "", "x", "-1", "1.5", "2000000000", "9223372036854775807" } do
      local status, out = process.run({ "sh", "-c", 'LISTEN_PID=$$ exec "$0" -e "$1"', process.interpreter, use },
        { env = { LISTEN_FDS = count, LD_PRELOAD = os.getenv "LD_PRELOAD" or false } })
      assert.equal(0, status)
      assert.equal("0\t\tnil\tnil\n", out)
    end
  end)
end)
