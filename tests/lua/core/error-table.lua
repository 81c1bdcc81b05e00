-- exit: 1
-- error: code = 42
-- error: error-table.lua:5
global error
error({ code = 42 })
