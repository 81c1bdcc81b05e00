-- exit: 1
-- error: regex.replace: argument 3: the pattern has no group `2`, only 1 groups
-- hint: a plain $ is $$
global regex

regex.replace("a", "(a)", "$2")
