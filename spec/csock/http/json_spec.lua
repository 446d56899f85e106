-- JSON, by the module that is installed.
local process = require "spec.support.process"

-- What a program prints that finds the modules of `names` alone, as stand-ins that say who they are.
local function run(code, names)
  local status, out, err = process.run { process.interpreter, "-e", [[
    for _, name in ipairs { "cjson", "dkjson" } do
      package.preload[name] = function() error "absent" end
    end
    for name in ("]] .. names .. [["):gmatch "%S+" do
      package.preload[name] = function()
        return { encode = function() return name end, decode = function(text) return name .. text end }
      end
    end
    local json = require "csock.http.json"
  ]] .. code }
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

describe("JSON", function()
  it("is made and read by cjson, or else by dkjson", function()
    local code = 'print(json.encode {}, json.decode "x")'
    assert.equal("cjson\tcjsonx\n", run(code, "cjson dkjson"))
    assert.equal("dkjson\tdkjsonx\n", run(code, "dkjson"))
  end)

  it("raises a clear error where there is neither", function()
    local out = run("print(pcall(json.encode, {}))", "")
    assert.matches("^false\tJSON: neither cjson nor dkjson is installed", out)
    out = run([[print(pcall(require "csock.http".post, "http://localhost:1/", { json = {} }))]], "")
    assert.matches("^false\tJSON: neither", out)
  end)

  it("that is malformed is an error, whoever reads it", function()
    for _, name in ipairs { "cjson", "dkjson" } do
      if pcall(require, name) then
        local status, out, err = process.run { process.interpreter, "-e", ([[
          package.preload["%s"] = function() error "absent" end
          local json = require "csock.http.json"
          for _, text in ipairs { "", "{", "[1,]x", "nonsense", ("["):rep(100000) } do
            local value, err = json.decode(text)
            print(value, err.name)
          end
          print(json.decode('{"a": [1, 2.5, "\\u00e4"]}').a[3])
        ]]):format(name == "cjson" and "dkjson" or "cjson") }
        assert.same({ 0, "" }, { status, err })
        assert.equal(("nil\tJSONDecodeError\n"):rep(5) .. "\195\164\n", out)
      end
    end
  end)
end)
