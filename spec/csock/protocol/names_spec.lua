-- Every public name of Twisted's protocols.basic, protocols.policies and protocols.stateful, and of their classes.
local policies = require "csock.policies"
local protocol = require "csock.protocol"
local twisted = require "spec.support.twisted"

-- What is not there on purpose.
local ELSEWHERE = {
  connected = true, -- the transport's
  disconnecting = true, -- a wrapper's is the transport's until it is closed by the wrapper
  recvd = true, -- for programs older than its successors
  IncompleteNetstring = true, -- never seen outside
  StringTooLongError = true, -- a mistake of the program's, told in words
}

describe("csock.protocol and csock.policies", function()
  it("have all names of Twisted's", function()
    if not twisted.there then return pending "Twisted is not installed" end
    local text = twisted.run [[
      from twisted.protocols import stateful
      for module in basic, policies, stateful:
          for name, cls in sorted(vars(module).items()):
              if not isinstance(cls, type) or cls.__module__ != module.__name__ or name.startswith("_"):
                  continue
              say(name)
              for field in sorted(dir(cls)):
                  known = field.startswith("_") or issubclass(cls, Exception)
                  if not known and getattr(cls, field, None) is not None:
                      say(name + ":" + field)
    ]]
    local missing, count = {}, 0
    for class_name, field in text:gmatch "([%w_]+):?([%w_]*)\n" do
      local found = protocol[class_name] or policies[class_name]
      if field ~= "" then found = found and found[field] ~= nil end
      if not found and not ELSEWHERE[field] and not ELSEWHERE[class_name] then
        missing[#missing + 1] = class_name .. ":" .. field
      end
      count = count + 1
    end
    assert.same({}, missing)
    assert.is_true(count > 300)
  end)
end)
