# Checks: what they print, and what is wrong with their files.
assay help check
assay checks/pass.yaml
assay checks/trusted.yaml
assay checks/trusted.yaml --allow-all
assay checks/trusted.yaml --allow-env=HOME --deny-plugin='*'
assay check checks/fail.yaml
assay --timeout=20 checks/fail.yaml --format human
assay checks/fail.yaml --format=junit
assay check --format=tap checks/fail.yaml
assay check --memory-limit=1MB checks/pass.yaml
assay check --validate checks/fail.yaml
assay check --validate checks/typos.yaml
assay checks/flow.yaml
assay checks/http.yaml
assay check - < checks/pass.yaml
assay check - < checks/typos.yaml
assay check
assay check checks/pass.yaml checks/fail.yaml
assay check checks/pas.yaml
assay check checks
assay check --format=xml checks/pass.yaml
assay check --valid checks/pass.yaml
assay check --allow-net=a,,b checks/pass.yaml
assay checks/pass.yaml --timeout=never
ASSAY_LOG=debug assay check --format=human checks/fail.yaml
