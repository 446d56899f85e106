-- mime.lua: the types of files, by the ends of their names.
return {
  [".avif"] = "image/avif", [".bmp"] = "image/bmp", [".bz2"] = "application/x-bzip2", [".c"] = "text/plain",
  [".css"] = "text/css", [".csv"] = "text/csv", [".epub"] = "application/epub+zip", [".gif"] = "image/gif",
  [".gz"] = "application/gzip", [".h"] = "text/plain", [".htm"] = "text/html", [".html"] = "text/html",
  [".ico"] = "image/vnd.microsoft.icon", [".ics"] = "text/calendar", [".jpeg"] = "image/jpeg",
  [".jpg"] = "image/jpeg", [".js"] = "text/javascript", [".json"] = "application/json", [".lua"] = "text/x-lua",
  [".m4a"] = "audio/mp4", [".md"] = "text/markdown", [".mjs"] = "text/javascript", [".mp3"] = "audio/mpeg",
  [".mp4"] = "video/mp4", [".oga"] = "audio/ogg", [".ogg"] = "audio/ogg", [".ogv"] = "video/ogg",
  [".opus"] = "audio/opus", [".otf"] = "font/otf", [".pdf"] = "application/pdf", [".png"] = "image/png",
  [".py"] = "text/x-python", [".rtf"] = "application/rtf", [".svg"] = "image/svg+xml", [".tar"] = "application/x-tar",
  [".tif"] = "image/tiff", [".tiff"] = "image/tiff", [".ttf"] = "font/ttf", [".txt"] = "text/plain",
  [".wasm"] = "application/wasm", [".wav"] = "audio/wav", [".weba"] = "audio/webm", [".webm"] = "video/webm",
  [".webmanifest"] = "application/manifest+json", [".webp"] = "image/webp", [".woff"] = "font/woff",
  [".woff2"] = "font/woff2", [".xhtml"] = "application/xhtml+xml", [".xml"] = "text/xml", [".xz"] = "application/x-xz",
  [".zip"] = "application/zip", [".zst"] = "application/zstd",
}
