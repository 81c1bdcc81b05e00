---@meta

---Environment variables. Changes hold for this script only, not for programs that it starts.
---
---A name that is empty or has `=`, and a zero byte, raise `argument`.
---@class env
env = {}

---The value of a variable, or nil.
---@param name string
---@return string?
function env.get(name) end

---Sets a variable, or removes it with nil.
---@param name string
---@param value? string
function env.set(name, value) end

---All variables.
---@return table<string, string>
function env.list() end
