---@meta template

---Jinja2 templates.
---@class template
template = {}

---@class (exact) template.Options
---@field autoescape? "html" what `{{ }}` escapes for, whatever the file is called; nothing by default
---@field strict? boolean raise for what is undefined instead of rendering it as nothing; default `false`
---@field filters? table<string, fun(value: any, ...: any): any> filters by their names, which win over builtin ones. They may not wait. Keyword arguments come as a last table; what is undefined or none comes as nil

---Renders a template file.
---
---`include`, `import` and `extends` name files from the file's folder on; they cannot leave it.
---Errors have kind `template`, `not_found` or `io`, and name the file and the line. What a filter
---raises keeps its kind. At most 256 MiB of result and 100 million steps.
---@param path string
---@param vars? table<string, any> lists become sequences, other tables maps in the order of their keys, `json.null` none; functions can be called
---@param opts? template.Options
---@return string
function template.render(path, vars, opts) end

---Renders a template that is a string. It can neither include nor extend files.
---@param template string
---@param vars? table<string, any> as of `template.render`
---@param opts? template.Options
---@return string
function template.render_string(template, vars, opts) end
