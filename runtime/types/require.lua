---@meta

---Loads a module once and returns what it returned, and its file.
---
---`assay.k8s` is `k8s/init.lua`, then `k8s.lua` in each root of `ASSAY_LIB_PATH`; `assay.vault.pki` is
---`vault/pki/init.lua`, then `vault/pki.lua`; `acme.deploy` is `acme/deploy/init.lua`, then
---`acme/deploy.lua`. Then comes `package.path`, which is the script's folder. There are no C modules.
---As in Lua, what was put into `package.preload` comes before, and searchers may be added to
---`package.searchers`; both may wait.
---
---Raises `not_found` with every path that was tried, `not_installed` when the library needs a plugin that
---is missing, and `syntax` for a module that does not compile.
---@param name string
---@return any module
---@return any file or what else its searcher gave
function require(name) end
