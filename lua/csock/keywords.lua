-- keywords.lua: the words that Lua keeps for itself: a set.
local set = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]):gmatch "%a+" do set[word] = true end
return set
