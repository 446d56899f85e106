-- front.lua: somebody who types: takes lines from an editor and gives them to a session (here, or in another process)
-- until one of them is at its end.
local LEAVES = "Ctrl-C again, or Ctrl-D, leaves the prompt."

return function(editor, session)
  local text, interrupts = "", 0
  while not session.over do
    session.interrupted = nil
    local line, why, typed = editor:read(session:prompt(text ~= ""))
    if line then
      interrupts = 0
      text = text == "" and line or text .. "\n" .. line
      if session:run(text) ~= "more" then
        editor:remember(text)
        text = ""
      end
    elseif why ~= "interrupted" then
      break
    else
      interrupts = text .. typed == "" and interrupts + 1 or 0
      if interrupts == 2 then break end
      if interrupts == 1 then editor:above(LEAVES .. "\n") end
      text = ""
    end
  end
  if text ~= "" then session:run(text) end
end
