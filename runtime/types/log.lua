---@meta

---Log lines on stderr, as text or, with `ASSAY_LOG_FORMAT=json`, as JSON lines. `ASSAY_LOG` is the lowest
---level that is written: `debug`, `info` (the default), `warn`, `error`, `off`.
---
---Any value is a message, and logging never fails.
---@class log
log = {}

---For those who look into the script.
---@param message any
---@param fields? table<string, any>
function log.debug(message, fields) end

---What went on.
---@param message any
---@param fields? table<string, any>
function log.info(message, fields) end

---Odd, and handled.
---@param message any
---@param fields? table<string, any>
function log.warn(message, fields) end

---Failed. The script goes on.
---@param message any
---@param fields? table<string, any>
function log.error(message, fields) end
