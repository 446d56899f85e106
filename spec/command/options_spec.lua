-- What stands on a command line, read by data.
local address = require "csock.command.address"
local options = require "csock.command.options"

local command = {
  name = "it",
  usage = { "[OPTIONS] A [B]" },
  about = "Does it.",
  options = {
    { "-l", "--listen", help = "listen" },
    { "-k", key = "keep", help = "keep on" },
    { "-w", "--wait", "SECONDS", kind = options.SECONDS, help = "wait no longer" },
    { "-e", "CODE", key = "code", many = true, help = "code" },
    { "--pair", "CERT", "KEY", help = "both" },
  },
  operands = { 1, 2 },
}

local function parse(...) return options.parse(command, { ... }) end

describe("options", function()
  it("stand before, between and behind the operands, alone or together", function()
    local found, operands = parse("-l", "a", "-k", "b")
    assert.same({ listen = true, keep = true }, found)
    assert.same({ "a", "b" }, operands)
    assert.same({ listen = true, keep = true }, (parse("-lk", "a")))
  end)

  it("take their values from the same word or the next", function()
    for _, words in ipairs { { "-w", "2.5" }, { "-w2.5" }, { "-lw2.5" }, { "--wait", "2.5" }, { "--wait=2.5" } } do
      assert.equal(2.5, parse("a", table.unpack(words)).wait)
    end
    assert.same({ "1", "-x" }, parse("a", "-e1", "-e", "-x").code)
    assert.same({ "c", "k" }, parse("a", "--pair", "c", "k").pair)
    assert.same({ "c", "k" }, parse("a", "--pair=c", "k").pair)
    assert.equal("", parse("a", "-e", "").code[1])
  end)

  it("end with --, and - is no option", function()
    local _, operands = parse("-l", "-", "--", "-k")
    assert.same({ "-", "-k" }, operands)
  end)

  it("end with the first operand where that is a script", function()
    local found, operands = options.parse({ script = true, operands = { 0, 9 }, options = command.options },
      { "-l", "file", "-k", "--" })
    assert.same({ listen = true }, found)
    assert.same({ "file", "-k", "--" }, operands)
  end)

  for complaint, words in pairs {
    ["unknown option -x"] = { "-lx", "a" },
    ["unknown option --frob"] = { "--frob=1", "a" },
    ["option -w needs SECONDS"] = { "a", "-w" },
    ["option --pair needs CERT and KEY"] = { "a", "--pair", "c" },
    ["option --listen takes no value"] = { "--listen=1", "a" },
    ["option -w: SECONDS must be a number of seconds, more than none, not '1e3'"] = { "a", "-w", "1e3" },
    ["option --wait: SECONDS must be a number of seconds, more than none, not '0'"] = { "a", "--wait=0" },
    ["too few arguments"] = { "-l" },
    ["too many arguments"] = { "a", "b", "c" },
  } do
    it("are refused: " .. complaint, function()
      local found, why = parse(table.unpack(words))
      assert.is_nil(found)
      assert.equal(complaint, why)
    end)
  end

  it("are explained by the same data", function()
    assert.equal([[
usage: csock it [OPTIONS] A [B]

Does it.

Options:
  -l, --listen        listen
  -k                  keep on
  -w, --wait SECONDS  wait no longer
  -e CODE             code
  --pair CERT KEY     both
  -h, --help          print this
]], options.help(command))
    assert.is_true(parse("--help").help)
  end)
end)

describe("an address of the command line", function()
  for text, expected in pairs {
    ["80"] = { host = "", port = 80 },
    [":80"] = { host = "", port = 80 },
    ["localhost:65535"] = { host = "localhost", port = 65535 },
    ["127.0.0.1:0"] = { host = "127.0.0.1", port = 0 },
    ["[::1]:80"] = { host = "::1", port = 80 },
    ["[fe80::1%eth0]:80"] = { host = "fe80::1%eth0", port = 80 },
    ["unix:/tmp/it"] = { path = "/tmp/it" },
    ["unix:a:b"] = { path = "a:b" },
  } do
    it("may be " .. text, function() assert.same(expected, address.parse(text)) end)
  end

  for _, text in ipairs { "", ":", "http", "localhost", "::1", "::1:80", "[::1]", "[::1]80", "[localhost]:80", "a:b:1",
    "a b:80", "a:80 ", " 80", "+80", "0x50", "8e1", "65536", "a:65536", "a:-1", "unix:", "[]:80", "a/b:80",
    "a:00000000080" } do
    it("is not '" .. text .. "'", function()
      local parsed, complaint = address.parse(text)
      assert.is_nil(parsed)
      assert.matches("^[^\n]+$", complaint)
    end)
  end

  it("has a port to connect to, which 0 is not", function()
    assert.is_nil((address.parse("a:0", 1)))
    assert.equal("a port is a number from 1 to 65535, not '0'", select(2, address.port("0", 1)))
  end)
end)
