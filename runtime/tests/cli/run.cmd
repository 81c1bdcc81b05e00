# Running: arguments, limits, exit codes, output.
assay arguments.lua one '' --timeout=3 '-e' 'two words'
assay -e 'print(arg[0], #arg, arg[1], ...)' --help x
assay -e 'print(#arg, arg[1])' -- --help
assay - a b < arguments.lua
assay order.lua
assay --memory-limit=8MB -e 'local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end'
assay --memory-limit=none -e 'print(#("x"):rep(100 << 20))'
assay --timeout=0.05 -e 'while true do end'
assay --timeout=0.05 -e 'sleep(1000)'
assay --timeout=0.05 -e 'while true do pcall(sleep, 1000) end'
assay -e 'return coroutine.create(print), io.stdout'
assay --timeout=1000 -e 'print("in time")'
assay -e 'error({kind = "timeout", message = "of the script, not of the run"})'
assay -e 'os.exit()'
assay -e 'os.exit(true)'
assay -e 'os.exit(false)'
assay -e 'os.exit(7)'
assay -e 'os.exit(256 + 9)'
assay -e 'os.exit("x")'
assay -e 'pcall(os.exit, 3) print("never")'
assay -e 'print(coroutine.resume(coroutine.create(function() os.exit(4) end))) print("never")'
assay -e 'async.spawn(function() os.exit(5) end) sleep(1000)'
assay -e 'io.write(1, " ", 2.5, " ", "x\n"); io.stdout:write("a", "b"):write("c\n")'
assay -e 'io.write("a", nil)'
assay -e 'io.stdout:write({})'
ASSAY_LOG=debug assay -e 'log.debug("seen") log.info("too", {a = 1})'
ASSAY_LOG=WARN assay -e 'log.info("unseen") log.warn("seen")'
ASSAY_LOG=off assay -e 'log.error("unseen")'
ASSAY_LOG_FORMAT=json assay -e 'log.info("a line", {n = 1})'
ASSAY_LOG_FORMAT=json assay -e 'log.info("\xff\"\n\0", {time = "mine", ["k\""] = 0 / 0, [1] = {json.null, {}}, f = {print}, s = "\xfe"})'
assay plugins
assay plugins --json
assay plugins text.lua
assay -e 'async.spawn(sleep, 100):cancel() async.spawn_interval(100, print):cancel()'
