std = "lua54"
codes = true
max_line_length = 120
exclude_files = { "build", "lua/csock/help/data.lua", ".luarocks", "lua_modules" }
files["spec/**/*_spec.lua"] = { std = "+busted" }
files["examples/*_spec.lua"] = { std = "+busted" }
files["rockspec/*.rockspec"] = { std = "+rockspec" }
