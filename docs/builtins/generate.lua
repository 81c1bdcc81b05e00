-- Writes the reference in this folder's pages from the LuaCATS stubs, which tests hold to what the code
-- registers: `assay docs/builtins/generate.lua`. Only what is between the two marks of a page is
-- written; what stands around them, the examples among it, is written by hand.
-- With `check` as an argument it only compares, and fails when a page is out of date.
global arg, error, fs, ipairs, log, table

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local project = here .. "/../../"
local START, END = "<!-- reference -->\n", "<!-- end -->\n"

---Splits `type description`: the type ends with the first blank outside of brackets and behind no `:`.
local function typed(text)
  local depth = 0
  for at = 1, #text do
    local char = text:sub(at, at)
    if char:find("[%(%[{<]") then
      depth = depth + 1
    elseif char:find("[%)%]}>]") then
      depth = depth - 1
    elseif char == " " and depth == 0 and not text:sub(1, at - 1):find("[:|]$") then
      return text:sub(1, at - 1), text:sub(at + 1)
    end
  end
  return text, ""
end

---Takes the default out of a description: `seconds; default 30` is `seconds` and `30`.
local function default_of(text)
  for _, pattern in ipairs({ "^()default:? ([^;]+)()$", "^()default:? ([^;]+); ()", "(); default:? ([^;]+)()", "() %(default:? ([^)]+)%)()" }) do
    local from, default, to = text:match(pattern)
    if from then
      return text:sub(1, from - 1) .. text:sub(to), default
    end
  end
  return text
end

---What a stub documents, in its order: functions, methods, classes and aliases.
local function items(source)
  local out, locals, doc, tags = {}, {}, {}, {}
  ---@type table?
  local class
  local function add(item)
    item.doc, item.tags = doc, tags
    out[#out + 1] = item
    doc, tags = {}, {}
    return item
  end
  for line in (source .. "\n\n"):gmatch("(.-)\r?\n") do
    local text = line:match("^%-%-%-(.*)$")
    local tag, rest = (text or ""):match("^@(%w+)%s*(.*)$")
    local name, params = line:match("^function%s+([%w_.:]+)(%b())%s+end$")
    local owned = line:match("^local%s+([%w_]+)%s*=") or line:match("^([%w_]+)%s*=")
    if tag then
      tags[#tags + 1] = { name = tag, text = rest }
    elseif text and text:find("^|") then
      tags[#tags + 1] = { name = "value", text = text:sub(2) }
    elseif text then
      doc[#doc + 1] = text
    elseif name then
      local owner, sep, own = name:match("^(.*)([.:])([%w_]+)$")
      if owner then
        name = (locals[owner] or owner) .. sep .. own
      end
      add({ kind = "function", name = name, params = params:sub(2, -2), owner = owner and (locals[owner] or owner) })
    else
      -- A class or alias ends with its block; the table behind it is what its functions are written on.
      for _, entry in ipairs(tags) do
        if entry.name == "class" then
          class = add({ kind = "class", name = entry.text:gsub("^%(exact%)%s*", ""):match("^[^%s:]+") })
          break
        elseif entry.name == "alias" then
          local alias, more = entry.text:match("^(%S+)%s*(.*)$")
          add({ kind = "alias", name = alias, type = more })
          break
        end
      end
      if owned and class then
        locals[owned] = class.name
      end
      doc, tags = {}, {}
    end
  end
  return out
end

local function tagged(item, name)
  local found = {}
  for _, tag in ipairs(item.tags) do
    if tag.name == name then
      found[#found + 1] = tag.text
    end
  end
  return found
end

---`http.get(url: string, opts?: http.Options): http.Response`, and what is said of parameters and results.
local function signature(item)
  local types, notes = {}, {}
  for _, param in ipairs(tagged(item, "param")) do
    local name, rest = param:match("^(%S+)%s+(.*)$")
    local kind, note = typed(rest)
    types[name:gsub("%?$", "")] = name .. ": " .. kind
    notes[#notes + 1] = { name = name, type = kind, text = note }
  end
  local params, returns = {}, {}
  for name in item.params:gmatch("[^,%s]+") do
    params[#params + 1] = types[name] or name
  end
  for _, result in ipairs(tagged(item, "return")) do
    local kind, note = typed(result)
    returns[#returns + 1] = kind
    notes[#notes + 1] = { name = "returns", type = kind, text = note }
  end
  local text = ("%s(%s)"):format(item.name, table.concat(params, ", "))
  if #returns > 0 then
    text = text .. ": " .. table.concat(returns, ", ")
  end
  return text, notes
end

---The reference of one stub.
local function reference(family, source)
  local all, out, sections = items(source), {}, {}
  for _, item in ipairs(all) do
    if item.kind ~= "function" and item.name ~= family then
      sections[item.name] = "#" .. item.name:lower():gsub("[^%w_-]", "")
    end
  end
  local function add(line)
    out[#out + 1] = line
  end
  local function prose(item)
    if #item.doc > 0 then
      add("")
      for _, line in ipairs(item.doc) do
        add(line)
      end
    end
  end
  ---A type as code, linked where it is one of this page.
  local function shown(kind)
    local name = kind:gsub("[%[%]?]+$", "")
    return sections[name] and ("[`%s`](%s)"):format(kind, sections[name]) or ("`%s`"):format(kind)
  end
  local function cell(text)
    return (text:gsub("|", "\\|"))
  end
  local function block(text)
    add("")
    add("```text")
    add(text)
    add("```")
  end
  local function function_of(item, level)
    local text, notes = signature(item)
    add("")
    add(level .. " " .. item.name)
    block(text)
    prose(item)
    local is_first = true
    for _, note in ipairs(notes) do
      local link = shown(note.type)
      if note.text ~= "" or link:find("^%[") then
        if is_first then
          add("")
          is_first = false
        end
        local name = note.name == "returns" and "returns" or ("`%s`"):format(note.name)
        add(("- %s %s%s"):format(name, link, note.text ~= "" and ": " .. note.text or ""))
      end
    end
  end
  local function fields_of(item)
    local fields = tagged(item, "field")
    if #fields == 0 then
      return
    end
    local rows, has_defaults = {}, false
    for _, field in ipairs(fields) do
      local name, rest = field:match("^(%S+)%s+(.*)$")
      local kind, text = typed(rest)
      local short, default = default_of(text)
      has_defaults = has_defaults or default ~= nil
      rows[#rows + 1] = { name, kind, default or "", short }
    end
    add("")
    add(has_defaults and "| | type | default | |" or "| | type | |")
    add(has_defaults and "|---|---|---|---|" or "|---|---|---|")
    for _, row in ipairs(rows) do
      local cells = { ("`%s`"):format(row[1]), cell(shown(row[2])), cell(row[3]), cell(row[4]) }
      if not has_defaults then
        table.remove(cells, 3)
      end
      add("| " .. table.concat(cells, " | ") .. " |")
    end
  end
  local function calls_of(item, name)
    for _, call in ipairs(tagged(item, "overload")) do
      -- `fun<T>(...)`, and `NotNull`, are what only checkers need.
      local shape = call:gsub("^fun<T>", "fun"):gsub("std%.NotNull<T>", "T"):match("^fun(.*)$")
      block(name .. shape)
    end
  end

  for _, item in ipairs(all) do
    if item.kind == "class" and item.name == family then
      prose(item)
      fields_of(item)
      calls_of(item, family)
    end
  end
  for _, item in ipairs(all) do
    if item.kind == "function" and (not item.owner or item.owner == family) then
      function_of(item, "##")
    end
  end
  for _, item in ipairs(all) do
    if item.kind == "class" and item.name ~= family then
      add("")
      add("## " .. item.name)
      prose(item)
      calls_of(item, item.name:match("[^.]+$"):lower())
      fields_of(item)
      for _, method in ipairs(all) do
        if method.kind == "function" and method.owner == item.name then
          function_of(method, "###")
        end
      end
    elseif item.kind == "alias" then
      add("")
      add("## " .. item.name)
      prose(item)
      if item.type ~= "" then
        add("")
        add(("`%s`"):format(item.type))
      end
      local is_first = true
      for _, value in ipairs(tagged(item, "value")) do
        if is_first then
          add("")
          is_first = false
        end
        local name, note = value:match('^%s*"(.-)"%s*#?%s*(.*)$')
        add(("- `%s`%s"):format(name or value, note and note ~= "" and ": " .. note or ""))
      end
    end
  end
  return table.concat(out, "\n", 2) .. "\n"
end

local stale = {}
local function put(name, content)
  local path = here .. "/" .. name
  if fs.exists(path) and fs.read(path) == content then
    return
  elseif arg[1] == "check" then
    stale[#stale + 1] = name
  else
    fs.write(path, content)
    log.info("wrote " .. name)
  end
end

---Puts a family's reference into its page, and adds the page to the index.
local function page(family, stub, index)
  local path = here .. "/" .. family .. ".md"
  local text = fs.exists(path) and fs.read(path) or ("# %s\n\n%s%s"):format(family, START, END)
  local _, from = text:find(START, 1, true)
  local to = from and text:find(END, from, true)
  if not to then
    error(("%s.md lacks `%s` with `%s` below it"):format(family, START:sub(1, -2), END:sub(1, -2)), 0)
  end
  local source = fs.read(stub)
  put(family .. ".md", text:sub(1, from) .. reference(family, source) .. text:sub(to))
  local first = table.concat(items(source)[1].doc, " ") .. " "
  index[#index + 1] = ("| [%s](%s.md) | %s |"):format(family, family, first:match("^(.-%.)%s") or first)
end

local core, plugins = {}, {}
for _, path in ipairs(fs.glob(project .. "runtime/types/*.lua")) do
  page(path:match("([^/]+)%.lua$"), path, core)
end
for _, path in ipairs(fs.glob(project .. "plugins/*/types/*.lua")) do
  page(path:match("([^/]+)%.lua$"), path, plugins)
end
put("README.md", table.concat({
  "# Builtins",
  "",
  "What scripts can rely on. Your editor can show and check all of it: `assay types types`.",
  "Written by `generate.lua`.",
  "",
  "| always there | |",
  "|---|---|",
  table.concat(core, "\n"),
  "",
  "| plugin | |",
  "|---|---|",
  table.concat(plugins, "\n"),
  "",
}, "\n"))
if #stale > 0 then
  error("out of date: " .. table.concat(stale, ", ") .. " (run: assay docs/builtins/generate.lua)", 0)
end
