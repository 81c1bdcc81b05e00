-- exit: 1
-- error: async.spawn: argument 1: expected function, got nil
global async

async.spawn(nil)
