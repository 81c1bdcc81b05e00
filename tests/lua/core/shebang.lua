#!/usr/bin/env assay
-- stdout: line 5
global debug, print

print("line " .. debug.getinfo(1, "l").currentline)
