-- args: --timeout 0.2
-- exit: 124
-- error: timeout
global misbehaving

misbehaving.never_ends()
