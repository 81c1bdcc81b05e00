-- error: INFO  started
-- error: WARN  with fields answer=42 name="a b"
-- error: ERROR nil
-- error: INFO  12.5
global log, math, print, setmetatable, error, coroutine

log.info("started")
log.warn("with fields", { name = "a b", answer = 42 })
-- Any value, and nothing fails the job.
log.error(nil)
log.error()
log.info(12.5)
log.info({ 1, 2, { a = "b" } })
log.info(print)
log.info(coroutine.create(print))
log.info("\xff\0")
log.info("not a table", "fields")
log.info("numbers", { 0 / 0, math.huge })
local cycle = {}
cycle.cycle = cycle
log.info(cycle)
log.info("cycle", cycle)
log.info(setmetatable({}, { __tostring = function() error("no") end }))
log.info("bad", setmetatable({}, { __index = function() error("no") end, __pairs = function() error("no") end }))
log.debug("not shown")
