-- types.lua: what there is in a menu.
local M = {}

M.TYPES = {
  A_TEXT = "0", A_MENU = "1", A_CSO = "2", A_ERROR = "3", A_MACBINHEX = "4", A_PCBINHEX = "5", A_UUENCODED = "6",
  A_INDEX = "7", A_TELNET = "8", A_BINARY = "9", A_DUPLICATE = "+", A_SOUND = "s", A_EVENT = "e", A_CALENDAR = "c",
  A_HTML = "h", A_TN3270 = "T", A_MIME = "M", A_IMAGE = "I", A_WHOIS = "w", A_QUERY = "q", A_GIF = "g", A_WWW = "W",
  A_PLUS_IMAGE = ":", A_PLUS_MOVIE = ";", A_PLUS_SOUND = "<", A_INFO = "i",
}

M.NAMES = {}
for name, kind in pairs(M.TYPES) do M.NAMES[kind] = name:sub(3) end

-- Those that are answered by a menu.
M.MENUS = { [M.TYPES.A_MENU] = true, [M.TYPES.A_INDEX] = true }

-- Of a file by the end of its name; nil: by what is in it.
M.BY_ENDING = {
  txt = "0", text = "0", md = "0", lua = "0", c = "0", h = "0", html = "h", htm = "h", gif = "g", png = "I", jpg = "I",
  jpeg = "I", webp = "I", svg = "I", bmp = "I", wav = "s", mp3 = "s", ogg = "s", flac = "s", pdf = "9", zip = "9",
  gz = "9", tar = "9", iso = "9",
}

return M
