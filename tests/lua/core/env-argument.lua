-- exit: 1
-- error: env.get: argument 1: expected string, got nil
global env

env.get(nil)
