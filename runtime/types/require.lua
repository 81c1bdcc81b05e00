---@meta

---Loads a module once and returns what it returned, and its file.
---
---`assay.k8s` is `k8s/init.lua`, then `k8s.lua` in each root of `ASSAY_LIB_PATH`; `assay.vault.pki` is
---`vault/pki/init.lua`, then `vault/pki.lua`; `acme.deploy` is `acme/deploy/init.lua`, then
---`acme/deploy.lua`. Then comes `package.path`, which is the script's folder. There are no C modules.
---
---Raises `not_found` with every path that was tried, `not_installed` when the library needs a plugin that
---is missing, and `syntax` for a module that does not compile.
---@param name string
---@return any module
---@return string? file
function require(name) end
