-- The same of lua-term: what the specs print is not for a terminal.
return { isatty = function() return false end }
