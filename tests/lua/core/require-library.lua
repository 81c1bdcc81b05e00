-- exit: 1
-- error: require: module "assay.no_such_library" not found
-- error: no file 
-- error: no_such_library/init.lua
-- error: no_such_library.lua
-- hint: assay install no_such_library
global require

require("assay.no_such_library")
