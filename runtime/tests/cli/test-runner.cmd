# assay test: results, formats, and when there is nothing to run.
assay test runner/passes_test.lua
assay test --jobs=1 --timeout=1 runner
assay test --format=tap runner/fails_test.lua runner/passes_test.lua
assay test --format=junit runner/fails_test.lua runner/passes_test.lua
assay test --filter='waits' runner/passes_test.lua runner/fails_test.lua
assay test --filter='no such test' runner/passes_test.lua
assay test runner/empty
assay test runner/library/mylib
assay test --timeout=0.05 runner/endless_test.lua
