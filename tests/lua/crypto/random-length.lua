-- exit: 1
-- error: crypto.random: argument 1: expected a length from 1 to 16777216, got -1
global crypto

crypto.random(-1)
