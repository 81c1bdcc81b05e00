#!/usr/bin/env assay
local name = "x"

-- The third thing.
error("what " .. name .. " is")

print("never")
print("reached")
