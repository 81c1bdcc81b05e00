-- exit: 1
-- error: require: module "no.such.module" not found
-- error: no/such/module.lua
-- error: require-module.lua:7
global require

require("no.such.module")
