-- How a test run is reported: a line for each spec file, every failure in full, and at the end,
-- alone on the last line, the counts: "N passed, N failed[, N skipped]". A file that cannot be
-- loaded and a failing set-up count as failed; a run that ran nothing has failed.
local have_posix, posix = pcall(require, "spec.support.posix")

-- Seconds for one test; see posix.watchdog. Those that fuzz may be told to go on for longer.
local LIMIT = 60 + (math.tointeger(tonumber(os.getenv "FUZZ_SECONDS")) or 0)

return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()
  local slowness = tonumber(os.getenv "SPEC_SLOWNESS") or 1
  local passed, failed, skipped = 0, 0, 0
  local counted = {} -- failures by element: `it` reports its failure and then its end
  local file = { passed = 0, failed = 0, skipped = 0 }

  local function write(...)
    io.stdout:write(...)
    io.stdout:flush()
  end

  local function name_of(element)
    local ok, name = pcall(handler.getFullName, element)
    return ok and name or tostring(element.name)
  end

  local function text_of(message)
    if type(message) == "table" and not getmetatable(message) then
      return require("pl.pretty").write(message)
    end
    return tostring(message)
  end

  local function report(element, message, debug)
    if counted[element] then return end
    counted[element] = true
    failed = failed + 1
    file.failed = file.failed + 1
    local trace = type(debug) == "table" and debug or element.trace or {}
    local place = trace.short_src and ("%s:%s: "):format(trace.short_src, trace.currentline) or ""
    write("\nFAILED ", place, name_of(element), "\n", text_of(message), "\n",
      trace.traceback and trace.traceback:gsub("^\n", "") or "", "\n\n")
  end

  function handler.fileStart()
    file = { passed = 0, failed = 0, skipped = 0 }
    return nil, true
  end

  function handler.fileEnd(element)
    local line = ("%-40s %4d passed"):format(element.name, file.passed)
    if file.failed > 0 then line = line .. (", %d failed"):format(file.failed) end
    if file.skipped > 0 then line = line .. (", %d skipped"):format(file.skipped) end
    write(line, "\n")
    return nil, true
  end

  function handler.testStart(element)
    if have_posix then posix.watchdog(LIMIT * slowness // 1, name_of(element)) end
    return nil, true
  end

  function handler.testEnd(element, _, status)
    if have_posix then posix.watchdog(0) end
    if status == "success" then
      passed = passed + 1
      file.passed = file.passed + 1
    elseif status == "pending" then
      skipped = skipped + 1
      file.skipped = file.skipped + 1
    elseif not counted[element] then
      report(element, "failed without a message")
    end
    return nil, true
  end

  function handler.pending(element, _, message)
    write("skipped: ", name_of(element), message and ": " .. text_of(message) or "", "\n")
    return nil, true
  end

  function handler.failure(element, _, message, debug)
    report(element, message, debug)
    return nil, true
  end

  function handler.exit()
    if passed + failed + skipped == 0 then write("no spec was run\n") end
    local line = ("%d passed, %d failed"):format(passed, failed)
    if skipped > 0 then line = line .. (", %d skipped"):format(skipped) end
    write(line, "\n")
    -- busted's own status is the number of failures, of which a shell sees the last eight bits.
    if failed > 0 or passed + skipped == 0 then os.exit(1, true) end
    return nil, true
  end

  function handler.subscribe(_, opts)
    require "busted.languages.en"
    handler.options = opts
    busted.subscribe({ "file", "start" }, handler.fileStart)
    busted.subscribe({ "file", "end" }, handler.fileEnd)
    busted.subscribe({ "test", "start" }, handler.testStart)
    busted.subscribe({ "test", "end" }, handler.testEnd)
    busted.subscribe({ "pending" }, handler.pending)
    busted.subscribe({ "failure" }, handler.failure)
    busted.subscribe({ "error" }, handler.failure)
    busted.subscribe({ "exit" }, handler.exit)
  end

  handler.options = options
  return handler
end
