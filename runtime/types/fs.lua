---@meta

---Files and directories. Paths and contents are bytes; relative paths start at the working directory.
---
---Failures raise `not_found`, `permission`, `exists` or `io` and name the path:
---`fs.read: cannot read /x: no such file or directory`. A path that is empty or has a zero byte raises
---`argument`.
---@class fs
fs = {}

---@class (exact) fs.ReadOptions
---@field max_size? integer bytes; a longer file raises `size` (default 256 MiB)

---@class (exact) fs.WriteOptions
---@field mode? string octal digits, such as "600" (default: that of the file that is there, or by the umask)

---@class (exact) fs.StatOptions
---@field follow? boolean whether a link stands for what it points to (default true)

---@class (exact) fs.RemoveOptions
---@field recursive? boolean removes a directory with all that is in it (default false)

---@alias fs.Type "file"|"directory"|"symlink"|"other"

---@class (exact) fs.Stat
---@field type fs.Type
---@field size integer bytes
---@field mode string octal digits, such as "644"
---@field modified number seconds since the epoch
---@field uid integer
---@field gid integer

---@class (exact) fs.Entry
---@field name string
---@field type fs.Type links are not followed

---A file's bytes.
---@param path string
---@param opts? fs.ReadOptions
---@return string
function fs.read(path, opts) end

---Replaces a file at once: readers see the old or the new content, also after a crash. Makes missing
---parents, keeps the mode of a file that was there, and writes through links.
---
---Devices, mounted single files, and files in directories where no new ones may be made are written in
---place instead.
---@param path string
---@param data string any bytes
---@param opts? fs.WriteOptions
function fs.write(path, data, opts) end

---Adds to a file's end. Makes the file and missing parents.
---@param path string
---@param data string any bytes
function fs.append(path, data) end

---Whether something is at the path. Raises where that cannot be told.
---@param path string
---@return boolean
function fs.exists(path) end

---What is at the path, or nil.
---@param path string
---@param opts? fs.StatOptions
---@return fs.Stat?
function fs.stat(path, opts) end

---A directory's entries, sorted by name.
---@param path string
---@return fs.Entry[]
function fs.list(path) end

---The paths that match a pattern, sorted; none is an empty list. `*` is any part of a name, `?` a character,
---`[a-z]` one of a set, `[!a]` one that is not, and `**` any number of directories. Hidden names need a
---pattern with a dot; `**` does not go through links; directories that may not be read are passed over.
---@param pattern string
---@return string[]
function fs.glob(pattern) end

---Makes a directory and missing parents. One that exists is fine.
---@param path string
function fs.mkdir(path) end

---Removes a file, a link (not what it points to) or an empty directory. Raises `not_found` if nothing is there.
---@param path string
---@param opts? fs.RemoveOptions
function fs.remove(path, opts) end

---Copies a file with its mode, as atomically as `write`, and makes missing parents.
---@param from string
---@param to string
---@return integer bytes
function fs.copy(from, to) end

---Moves a file or a directory within a file system, over a file that is there. Makes missing parents.
---@param from string
---@param to string
function fs.rename(from, to) end

---The lines of a file, one by one, without their line feeds.
---
---    for line in fs.lines("/etc/hosts") do print(line) end
---@param path string
---@return fs.Lines
function fs.lines(path) end

---@class fs.Lines
---@overload fun(): string?
local Lines = {}

---Closes the file before its end; the next call raises `closed`. Not needed after the last line.
function Lines:close() end

---A new directory below `$TMPDIR` (`/tmp`) that only this user may enter. It stays until the script removes it.
---@return string path
function fs.tempdir() end
