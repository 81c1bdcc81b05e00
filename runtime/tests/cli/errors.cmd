# What scripts raise, with the script's lines.
assay text.lua
assay table.lua
assay builtin.lua
assay nested.lua
assay syntax.lua
assay module.lua
assay level.lua
assay last-line.lua
assay utf8.lua
assay -e 'error({code = 42})'
assay -e 'error()'
assay -e 'error(setmetatable({}, {__tostring = function() return "of its own" end}))'
assay -e 'error("no position", 0)'
assay -e 'local t = nil; t.x = 1'
assay - < text.lua
assay -e 'coroutine.wrap(function() error("in a coroutine") end)()'
assay -e 'async.spawn(function() error("in a task") end):await()'
