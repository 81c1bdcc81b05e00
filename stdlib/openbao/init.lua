-- assay.openbao: OpenBao speaks Vault's API, so this is assay.vault under its own name.
global require

return require("assay.vault")
