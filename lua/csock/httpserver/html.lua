-- html.lua: text in pages.
local HTML = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#x27;" }

return { escape = function(text) return (text:gsub("[&<>\"']", HTML)) end }
