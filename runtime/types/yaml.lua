---@meta

---YAML 1.2: `yes` and `on` are text, as are numbers with leading zeros (`0644`) and integers beyond 64 bits.
---Merge keys are applied, unknown tags passed over, `!!binary` is decoded, and keys keep their text: `1: a`
---has the key `"1"`.
---
---A faulty text raises `syntax` with line and column. So do a key that is there twice, collections nested
---deeper than 128, more than 1,000,000 nodes, and aliases that repeat more than 16 MiB of content.
---@class yaml
yaml = {}

---@class (exact) yaml.ParseOptions
---@field null? boolean keeps nulls as `json.null`; without it they are nil, and absent in tables (default false)

---Reads the one document of a text. A text without any is nil; one with several raises `syntax`.
---@param text string UTF-8
---@param opts? yaml.ParseOptions
---@return any
function yaml.parse(text, opts) end

---Reads all documents of a text. Empty ones are left out, unless nulls are kept.
---@param text string UTF-8
---@param opts? yaml.ParseOptions
---@return any[]
function yaml.parse_all(text, opts) end

---Writes a document in block style, keys sorted, ended by a line feed. Text that some reader of YAML 1.1 or
---1.2 could take for a number, a bool or a date is quoted; text of several lines becomes a block; other bytes
---than UTF-8 become `!!binary`. An empty table is `{}` unless it is marked as an array.
---
---Raises `value` for functions and objects, and for keys that are neither text nor integers, with the place
---(`spec.containers[1].image`).
---@param value any
---@return string
function yaml.encode(value) end
