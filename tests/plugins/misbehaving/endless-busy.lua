-- args: --timeout 0.2
-- exit: 124
global misbehaving

misbehaving.busy()
