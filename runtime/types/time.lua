---@meta

---The time as seconds since 1970-01-01T00:00:00Z, with fractions. `time()` is `time.now()`.
---@class time
---@overload fun(): number
time = {}

---@class (exact) time.Rfc3339Options
---@field digits? integer digits after the second, 0 to 9, cut and not rounded (default 0)
---@field offset? string "Z" or "+hh:mm" (default "Z")

---Seconds since the epoch.
---@return number
function time.now() end

---A time as RFC 3339 text: `2026-01-31T12:00:00Z`.
---
---Raises `argument` outside of the years 0 to 9999.
---@param epoch? number seconds (default: now)
---@param opts? time.Rfc3339Options
---@return string
function time.rfc3339(epoch, opts) end

---Seconds since the epoch of an RFC 3339 text. Raises `syntax` for anything else, also for days that do
---not exist.
---@param text string
---@return number
function time.parse(text) end
