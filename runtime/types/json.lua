---@meta

---JSON (RFC 8259, strictly).
---@class json
---@field null lightuserdata a null for encoding; parsing keeps nulls as this on request
json = {}

---@class (exact) json.ParseOptions
---@field null? boolean keeps nulls as `json.null`; without it they are nil, and absent in tables (default false)

---@class (exact) json.EncodeOptions
---@field pretty? boolean breaks lines and indents by two (default false)

---Reads one value. Integers are exact; arrays remember that they are, also when they are empty.
---
---A faulty text raises `syntax` with line and column, as do integers beyond 64 bits and values nested deeper
---than 256.
---@param text string
---@param opts? json.ParseOptions
---@return any
function json.parse(text, opts) end

---Writes a value, keys sorted. An empty table is `{}`, unless it is marked or was parsed as an array.
---
---Raises `value`, with the place, for NaN and infinities, functions and objects, bytes that are no UTF-8,
---tables nested deeper than 256, and tables that contain themselves.
---@param value any
---@param opts? json.EncodeOptions
---@return string
function json.encode(value, opts) end

---Marks a table as an array for `encode`, or makes one, and returns it.
---@generic T: table
---@param t? T
---@return T
function json.array(t) end

---Marks a table as an object for `encode`, or makes one, and returns it.
---@generic T: table
---@param t? T
---@return T
function json.object(t) end
