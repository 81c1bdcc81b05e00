---@meta

---TOML 1.1.
---@class toml
toml = {}

---Reads a document. Dates and times become text as RFC 3339 has it: `1979-05-27T07:32:00Z`, `1979-05-27`.
---
---A faulty text raises `syntax` with line and column, as do integers beyond 64 bits. More than 8 MiB raise
---`size`.
---@param text string UTF-8
---@return table
function toml.parse(text) end

---Writes a document, keys sorted: first what fits on lines, then tables under headers of their own.
---
---Raises `value`, with the place (`server.ports[2]`), for what TOML does not have: nulls, functions, objects,
---bytes that are no UTF-8, keys that are neither text nor integers.
---@param value table
---@return string
function toml.encode(value) end
