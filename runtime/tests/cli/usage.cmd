# The command line, and what is wrong with it.
assay
assay --version
assay version
assay help test
assay help plugins
assay plugins --help
assay help types
assay types
assay types one two
assay types --dir=types
assay type
assay types text.lua
assay test --help
assay help nothing
assay instal
assay plugin
assay nothing-like-it
assay txt.lua
assay no/such.lua
assay parts
assay ./parts
assay checks.yaml
assay table
assay install k8s
assay --memory-limt=1 text.lua
assay -x text.lua
assay --memory-limit=64XB text.lua
assay --memory-limit=1KB text.lua
assay --memory-limit=99999999999GB text.lua
assay --timeout=0 text.lua
assay --timeout=soon text.lua
assay --timeout
assay --timeout=1
assay -e
assay plugins --jsn
assay test --format=xml
assay test --jobs=0
assay test --filtr=x
assay test no/such
ASSAY_LOG=loud assay -e 'log.info(1)'
ASSAY_LOG_FORMAT=yaml assay -e 'log.info(1)'
ASSAY_SHUTDOWN_TIMEOUT=never assay -e 'log.info(1)'
