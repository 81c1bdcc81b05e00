---@meta

---Functions that run beside the script. They take turns whenever one of them waits: in `sleep`, in a
---request, in `await`.
---@class async
async = {}

---@class async.Task
local Task = {}

---Waits for the end. Returns what the function returned, or raises what it raised, as it was raised.
---Also as `task.await()`. Raises `cancelled` for a task that was cancelled.
---@return any ...
function Task:await() end

---Ends the task where it waits. One that has ended stays as it is. Also as `task.cancel()`.
function Task:cancel() end

---Starts a function. An error that nobody awaits is logged; what still runs at the end of the script is
---cancelled, and a line in the log says so.
---@param fn fun(...: any): ...
---@param ... any its arguments
---@return async.Task
function async.spawn(fn, ...) end

---Calls a function again and again, the first time after that many seconds. Errors are logged, and the
---interval goes on.
---@param seconds number
---@param fn fun()
---@return async.Task
function async.spawn_interval(seconds, fn) end

---Runs functions at the same time, and waits for all. The first error cancels the others and is raised.
---@param fns (fun(): any)[]
---@return any[] results the first result of each, in the order of the functions
function async.all(fns) end

---Runs functions at the same time. The first to end gives the results, or raises its error; the others are
---cancelled.
---@param fns (fun(): ...)[]
---@return any ...
function async.race(fns) end

---Runs a function for at most that many seconds, then cancels it and raises `timeout`.
---@param seconds number
---@param fn fun(): ...
---@return any ... what the function returned
function async.timeout(seconds, fn) end
