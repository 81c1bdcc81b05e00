/* The stable plugin ABI of the Assay runtime, in C: what `plugin-api/src/abi.rs` is in Rust.
 *
 * A test holds the two together: every size, offset and constant. docs/plugin-abi.md tells what may
 * change within it; tests/fixtures/plugins/conformance.c uses all of it.
 *
 * A plugin is a shared object `<name>-<version>.so` with
 *   - a note (ASSAY_PLUGIN_NOTE), which the host reads before it runs anything of the file;
 *   - one exported datum, `const assay_plugin_decl assay_plugin_v1_<name>` (ASSAY_PLUGIN_SYMBOL).
 * Build with: cc -std=c11 -shared -fPIC -o hello-0.1.0.so hello.c
 *
 * Two kinds of thing cross the boundary.
 *   Views (assay_str, assay_val and what they point to) are lent for one call. Whoever receives one
 *   reads or copies it before returning, and never frees it.
 *   Handles (assay_obj, assay_func, assay_buf, assay_vm, assay_waker) begin with a pointer to their
 *   maker's vtable, whose `retain` and `release` count their owners. A handle inside a view is lent
 *   like the view: retain it to keep it. The maker frees it with the last release.
 * Nothing is freed across the boundary in any other way.
 *
 * Threads: a VM has one thread. "VM's thread" below means that one; "any thread" means just that.
 * A plugin may be used by several VMs on several threads at once.
 *
 * Failures: nothing may unwind or longjmp across the boundary. A function fails by setting an error
 * and answering ASSAY_ERR.
 *
 * Growth: a struct only grows at its end. Each vtable and table begins with its maker's `size`; a
 * member beyond that size is not there. Unknown tags, flags and levels are to be expected.
 */
#ifndef ASSAY_PLUGIN_H
#define ASSAY_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define ASSAY_STATIC_ASSERT static_assert
#else
#define ASSAY_STATIC_ASSERT _Static_assert
#endif

/* A plugin built for another major is refused; the minor grows with every addition. */
#define ASSAY_ABI_MAJOR 1
#define ASSAY_ABI_MINOR 0
#define ASSAY_MAGIC "ASSAYPLG"
/* The layouts of this version, as the note names them. */
#define ASSAY_LAYOUT "5f25ebe10aa197d9"

/* What a call, a poll or an init answers. */
enum {
    ASSAY_OK = 0,      /* finished; the result was set, or is nil */
    ASSAY_ERR = 1,     /* failed; the error was set as the result */
    ASSAY_PENDING = 2, /* goes on: as `call->task`, or when the waker was woken */
};

/* Tags of assay_val. */
enum {
    ASSAY_NIL = 0,
    ASSAY_BOOL = 1,   /* u.b: 0 or 1 */
    ASSAY_INT = 2,    /* u.i */
    ASSAY_FLOAT = 3,  /* u.f */
    ASSAY_STRING = 4, /* u.s, len bytes, any bytes, not terminated */
    ASSAY_LIST = 5,   /* u.l, len values */
    ASSAY_MAP = 6,    /* u.l, len pairs: 2 * len values, key before value */
    ASSAY_OBJECT = 7, /* u.o */
    ASSAY_FUNC = 8,   /* u.fun, a function of the host's */
    ASSAY_BUF = 9,    /* u.buf; a string on the Lua side */
    ASSAY_ERROR = 10, /* as ASSAY_MAP: kind, message, hint, status, traceback, ... */
    ASSAY_NULL = 11,  /* json.null, db.null: a null that stays visible */
    ASSAY_RECORD = 12 /* u.r, len pairs: a plain table with the methods of a class */
};

/* Flags of assay_fn_desc. */
enum {
    ASSAY_FN_ASYNC = 1, /* the function may answer ASSAY_PENDING */
    ASSAY_FN_VALUE = 2  /* the name stands for what the call returns when the family is loaded */
};

/* Levels of `log`. */
enum { ASSAY_LOG_DEBUG = 0, ASSAY_LOG_INFO = 1, ASSAY_LOG_WARN = 2, ASSAY_LOG_ERROR = 3 };

/* Directions of `io_poll` and `io_clear`. */
enum { ASSAY_IO_READ = 1, ASSAY_IO_WRITE = 2 };

typedef struct assay_str assay_str;
typedef struct assay_val assay_val;
typedef union assay_val_u assay_val_u;
typedef struct assay_record assay_record;
typedef struct assay_ret assay_ret;
typedef struct assay_call assay_call;
typedef struct assay_task assay_task;
typedef struct assay_task_vt assay_task_vt;
typedef struct assay_waker assay_waker;
typedef struct assay_waker_vt assay_waker_vt;
typedef struct assay_fn_desc assay_fn_desc;
typedef struct assay_obj assay_obj;
typedef struct assay_obj_vt assay_obj_vt;
typedef struct assay_func assay_func;
typedef struct assay_func_vt assay_func_vt;
typedef struct assay_buf assay_buf;
typedef struct assay_buf_vt assay_buf_vt;
typedef struct assay_vm assay_vm;
typedef struct assay_vm_vt assay_vm_vt;
typedef struct assay_host_api assay_host_api;
typedef struct assay_reactor_api assay_reactor_api;
typedef struct assay_workers_api assay_workers_api;
typedef struct assay_limits_api assay_limits_api;
typedef struct assay_shutdown_api assay_shutdown_api;
typedef struct assay_plugin_decl assay_plugin_decl;

/* ---- Views -------------------------------------------------------------------------------- */

/* Borrowed text or bytes. `ptr` may be null or dangling where `len` is 0. */
struct assay_str {
    const uint8_t *ptr;
    size_t len;
};

union assay_val_u {
    uint64_t b;
    int64_t i;
    double f;
    const uint8_t *s;
    const assay_val *l;
    const assay_obj *o;
    const assay_func *fun;
    const assay_buf *buf;
    const assay_record *r;
};

/* A value. A value of an unknown tag is an error for this value only. */
struct assay_val {
    uint32_t tag;
    uint32_t len; /* bytes, items or pairs, by tag; otherwise 0 */
    assay_val_u u;
};

/* The payload of ASSAY_RECORD. */
struct assay_record {
    const assay_obj_vt *klass; /* whose methods the table gets; they take it as first argument */
    const assay_val *pairs;    /* 2 * len values */
};

/* ---- Calls -------------------------------------------------------------------------------- */

/* Where a callee puts its result. The host's structure goes on behind it: never copy one. */
struct assay_ret {
    /* Takes the result: copies it and retains the handles in it before it returns, so that the
     * callee frees and releases its own afterwards. At most once for each call. On the thread of
     * the call or poll that it was passed to. */
    void (*set)(assay_ret *ret, const assay_val *value);
};

/* A task: what a pending call goes on as. The host owns it from the answer ASSAY_PENDING on. */
struct assay_task {
    void *data; /* the plugin's */
    const assay_task_vt *vt;
};

struct assay_task_vt {
    uint32_t size; /* sizeof(assay_task_vt) */
    uint32_t reserved;
    /* Goes on until it must wait. Then it retains the waker, answers ASSAY_PENDING, and later wakes
     * the waker once and releases it. Not called again after ASSAY_OK or ASSAY_ERR. A wake may come
     * late or twice: a poll must bear being called for nothing. VM's thread. */
    int32_t (*poll)(void *data, const assay_waker *waker, assay_ret *ret);
    /* Frees the task, finished or not; an unfinished one is cancelled. Exactly once. VM's thread. */
    void (*drop)(void *data);
};

/* Whoever waits for a task; the host's. */
struct assay_waker {
    const assay_waker_vt *vt;
};

struct assay_waker_vt {
    uint32_t size;
    uint32_t reserved;
    void (*retain)(const assay_waker *waker);  /* any thread */
    void (*release)(const assay_waker *waker); /* any thread */
    void (*wake)(const assay_waker *waker);    /* any thread; keeps the count */
};

/* One call of a function or method. */
struct assay_call {
    uint32_t size; /* the host's sizeof(assay_call) */
    uint32_t nargs;
    const assay_val *args; /* lent */
    const assay_obj *self; /* lent: the object whose method is called, or null */
    const assay_vm *vm;    /* lent: the VM that calls */
    assay_ret *ret;        /* where the result goes; not after ASSAY_PENDING, polls have their own */
    assay_task task;       /* out, with ASSAY_PENDING */
};

/* A function or method. VM's thread. Answers ASSAY_OK, ASSAY_ERR or, with ASSAY_FN_ASYNC,
 * ASSAY_PENDING. It may be entered again before it returns, through call_now. */
typedef int32_t (*assay_call_fn)(assay_call *call);

/* Describes a function or method. Lives as long as the process. */
struct assay_fn_desc {
    assay_str name; /* in Lua; methods named __call, __close, __index, __len and __tostring become
                       metamethods, a function named __call makes the family callable */
    uint32_t flags;
    uint32_t reserved;
    assay_call_fn call;
    assay_str doc; /* Markdown */
    assay_str sig; /* LuaCATS: fun(url: string): http.Response */
};

/* ---- Handles ------------------------------------------------------------------------------ */

/* An object: userdata on the Lua side. Its maker's structure goes on behind it. Its identity is its
 * address, its class the address of its vtable. */
struct assay_obj {
    const assay_obj_vt *vt;
};

/* A class: of objects, or of records. Lives as long as the process. */
struct assay_obj_vt {
    uint32_t size; /* sizeof(assay_obj_vt) */
    uint32_t nmethods;
    assay_str type_name; /* family.Class */
    /* A method named `read` makes the object a stream: read(max) answers a string or buffer of at
     * most max bytes, or nil at the end, and may be pending. */
    const assay_fn_desc *methods;
    void (*retain)(const assay_obj *obj);  /* any thread; for records never called */
    void (*release)(const assay_obj *obj); /* any thread; frees with the last */
    assay_str doc; /* Markdown, then LuaCATS ---@field lines */
};

/* A Lua function that a plugin keeps. Does not keep its VM open. */
struct assay_func {
    const assay_func_vt *vt;
};

/* Told the end of a call: ASSAY_OK and the result, or ASSAY_ERR and an error; both lent. */
typedef void (*assay_done_fn)(void *ud, int32_t status, const assay_val *result);

struct assay_func_vt {
    uint32_t size;
    uint32_t reserved;
    void (*retain)(const assay_func *fun);  /* any thread */
    void (*release)(const assay_func *fun); /* any thread */
    /* Runs the function as a coroutine of its own. Any thread. The arguments are copied before it
     * returns. `done` runs exactly once and never inside `call`: on the VM's thread, or, with the
     * error `vm closed`, on whichever thread closes the VM. Answers a ticket for `cancel`. */
    uint64_t (*call)(const assay_func *fun, const assay_val *args, uint32_t nargs,
                     assay_done_fn done, void *ud);
    /* Cancels a call that has not ended; its `done` runs with an error of kind `cancelled`, possibly
     * before `cancel` returns. A ticket that has ended is ignored. Any thread. */
    void (*cancel)(const assay_func *fun, uint64_t ticket);
    /* Runs the function at once; it may not wait. VM's thread, inside a call or poll only. `ret` is
     * the plugin's: its `set` is called at most once, before the answer ASSAY_OK or ASSAY_ERR. */
    int32_t (*call_now)(const assay_func *fun, const assay_val *args, uint32_t nargs,
                        assay_ret *ret);
};

/* A block of bytes that never changes. Its maker's structure may go on behind it. */
struct assay_buf {
    const assay_buf_vt *vt;
    const uint8_t *ptr; /* ptr[len] is a readable zero, as Lua wants it */
    size_t len;         /* without the zero */
};

struct assay_buf_vt {
    uint32_t size;
    uint32_t reserved;
    void (*retain)(const assay_buf *buf);  /* any thread */
    void (*release)(const assay_buf *buf); /* any thread */
};

/* A VM. Retaining it keeps the handle valid, not the VM open. */
struct assay_vm {
    const assay_vm_vt *vt;
};

struct assay_vm_vt {
    uint32_t size;
    uint32_t reserved;
    void (*retain)(const assay_vm *vm);  /* any thread */
    void (*release)(const assay_vm *vm); /* any thread */
};

/* ---- The host ----------------------------------------------------------------------------- */

/* What the host gives every plugin, once, to `init`. Lives as long as the process. */
struct assay_host_api {
    uint32_t size;
    uint16_t major;
    uint16_t minor;
    /* A capability table by name and version, such as assay.reactor/1, or null. Any thread. The
     * table lives as long as the process; its own threads are its own matter. */
    const void *(*service)(assay_str name);
    /* Logs for a VM (or null). `fields` is an ASSAY_MAP, or null; everything is lent. Any thread. */
    void (*log)(const assay_vm *vm, uint32_t level, assay_str message, const assay_val *fields);
    /* Whether a VM may do `permission` (net.connect, net.listen, fs.read, fs.write, env) to `target`
     * (host:port, a path, a name): 1 or 0. Of an address that a name turned out to be, net.address
     * with `address:port name`. Any thread. */
    int32_t (*allowed)(const assay_vm *vm, assay_str permission, assay_str target);
};

/* The service assay.reactor/1: I/O and timers of the VM's own thread, and only there. What it makes
 * is freed by its own drop, on that thread, no later than the task or object that uses it. */
struct assay_reactor_api {
    uint32_t size;
    uint32_t reserved;
    /* Watches a non-blocking descriptor, which stays the plugin's; null on failure (errno). */
    void *(*io_new)(int32_t fd);
    /* ASSAY_OK when the descriptor may be ready in that direction, or ASSAY_PENDING, and the waker,
     * which is lent, will be woken. */
    int32_t (*io_poll)(void *io, uint32_t direction, const assay_waker *waker);
    /* Says that the descriptor was not ready after all (EWOULDBLOCK): poll again. */
    void (*io_clear)(void *io, uint32_t direction);
    /* Stops watching. Before the descriptor is closed. */
    void (*io_drop)(void *io);
    /* A timer that ends in so many nanoseconds. */
    void *(*timer_new)(uint64_t nanos);
    /* ASSAY_OK when the time has come, or ASSAY_PENDING, and the waker, which is lent, will be
     * woken. */
    int32_t (*timer_poll)(void *timer, const assay_waker *waker);
    /* Sets a new time from now. */
    void (*timer_reset)(void *timer, uint64_t nanos);
    /* Frees the timer. */
    void (*timer_drop)(void *timer);
    /* Takes a task over and polls it beside the VM's coroutines until it ends, or drops it when the
     * VM closes. An error is logged. */
    void (*spawn)(const assay_vm *vm, assay_task task);
};

/* The service assay.workers/1: more VMs that run the script of this one, each on a thread of its own. */
struct assay_workers_api {
    uint32_t size;
    uint32_t reserved;
    /* Which of the VMs that run one script this one is: 0 for the one that was there first. `group` is
     * given the number that they share, and nobody else in the process has. Any thread. */
    uint32_t (*identify)(const assay_vm *vm, uint64_t *group);
    /* Starts VMs until there are `count` with the one that asks. Those that it started may ask too:
     * nothing happens then. ASSAY_OK, or ASSAY_ERR (reported by `ret`) when the host has no script to
     * run again, or no thread for it. VM's thread. */
    int32_t (*start)(const assay_vm *vm, uint32_t count, assay_ret *ret);
};

/* The service assay.limits/1: what the host limits and only a plugin can count. */
struct assay_limits_api {
    uint32_t size;
    uint32_t reserved;
    /* The limit of that name, or UINT64_MAX for none: `response`, the bytes that one answer from the
     * network may have. Any thread. */
    uint64_t (*limit)(const assay_vm *vm, assay_str name);
};

/* ---- The plugin --------------------------------------------------------------------------- */

/* The extension assay.shutdown/1. */
struct assay_shutdown_api {
    uint32_t size;
    uint32_t reserved;
    /* Starts to end what runs, within so many nanoseconds: told once, when the process was asked to
     * end. ASSAY_PENDING when something runs whose calls will return by themselves, ASSAY_OK when
     * there is nothing to wait for. VM's thread. */
    int32_t (*shutdown)(uint64_t nanos);
};

/* A plugin; everything it points to lives as long as the process (plugins are never unloaded). */
struct assay_plugin_decl {
    uint8_t magic[8]; /* ASSAY_MAGIC, without its zero */
    uint16_t major;   /* ASSAY_ABI_MAJOR */
    uint16_t minor;   /* the lowest minor that has what the plugin uses */
    uint32_t size;    /* sizeof(assay_plugin_decl) */
    uint32_t flags;   /* 0 */
    uint32_t nfns;
    assay_str name; /* the family: [a-z0-9_] */
    assay_str version; /* semantic version */
    assay_str sdk;     /* what it was written with */
    const assay_fn_desc *fns;
    /* Called once in the process, before anything else. ASSAY_OK, or ASSAY_ERR and an error. */
    int32_t (*init)(const assay_host_api *host, assay_ret *ret);
    /* A capability table of the plugin by name and version, or null. Any thread. */
    const void *(*extension)(assay_str name);
    assay_str doc; /* Markdown */
    const assay_obj_vt *const *classes; /* of its objects and records */
    uint32_t nclasses;
    uint32_t reserved;
};

/* ---- Declaring a plugin ------------------------------------------------------------------- */

/* The name of a plugin's datum: const assay_plugin_decl ASSAY_PLUGIN_SYMBOL(hello) = {...}; */
#if defined(__GNUC__)
#define ASSAY_PLUGIN_SYMBOL(name) \
    __attribute__((visibility("default"))) assay_plugin_v1_##name
#else
#define ASSAY_PLUGIN_SYMBOL(name) assay_plugin_v1_##name
#endif

/* The text of a note. `needs`, `links` and `permissions` are lists of names, each ended by a comma:
 * services without which the plugin cannot work ("assay.reactor/1,"), native libraries that must be
 * in the process once only ("openssl,"), and permissions that it may ask for ("net.connect,"). */
#define ASSAY_NOTE_TEXT(name, version, needs, links, permissions)                             \
    "name=" name ";version=" version ";abi=1.0;needs=" needs ";links=" links                  \
    ";panic=unwind;perm=" permissions ";sdk=c;layout=" ASSAY_LAYOUT ";"

/* Puts the note into the file; once, at file level. C has no panics: `panic=unwind` promises that
 * nothing aborts the process on an error that could be reported. */
#define ASSAY_PLUGIN_NOTE(name, version, needs, links, permissions) \
    ASSAY_RAW_NOTE(ASSAY_NOTE_TEXT(name, version, needs, links, permissions))

/* An ELF note: section .note.assay, owner "Assay", type 1; `readelf -n` shows it. */
#define ASSAY_RAW_NOTE(string)                                                               \
    __attribute__((used, section(".note.assay"), aligned(4))) static const struct {          \
        uint32_t namesz, descsz, type;                                                       \
        char owner[8];                                                                       \
        char text[(sizeof(string) + 2) / 4 * 4];                                             \
    } assay_plugin_note = {6, sizeof(string) - 1, 1, "Assay", string}

/* ---- Conveniences ------------------------------------------------------------------------- */

/* A literal as assay_str, also in static initialisers. */
#define ASSAY_STR(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

static inline assay_str assay_str_of(const void *bytes, size_t len) {
    assay_str str = {(const uint8_t *)bytes, len};
    return str;
}

static inline assay_val assay_nil(void) {
    assay_val val = {ASSAY_NIL, 0, {0}};
    return val;
}

static inline assay_val assay_bool(int value) {
    assay_val val = {ASSAY_BOOL, 0, {0}};
    val.u.b = value != 0;
    return val;
}

static inline assay_val assay_int(int64_t value) {
    assay_val val = {ASSAY_INT, 0, {0}};
    val.u.i = value;
    return val;
}

static inline assay_val assay_float(double value) {
    assay_val val = {ASSAY_FLOAT, 0, {0}};
    val.u.f = value;
    return val;
}

static inline assay_val assay_string(const void *bytes, size_t len) {
    assay_val val = {ASSAY_STRING, (uint32_t)len, {0}};
    val.u.s = (const uint8_t *)bytes;
    return val;
}

static inline assay_val assay_list(const assay_val *items, size_t len) {
    assay_val val = {ASSAY_LIST, (uint32_t)len, {0}};
    val.u.l = items;
    return val;
}

static inline assay_val assay_map(const assay_val *pairs, size_t len) {
    assay_val val = {ASSAY_MAP, (uint32_t)len, {0}};
    val.u.l = pairs;
    return val;
}

static inline assay_val assay_object(const assay_obj *obj) {
    assay_val val = {ASSAY_OBJECT, 0, {0}};
    val.u.o = obj;
    return val;
}

/* ---- Layouts ------------------------------------------------------------------------------ */

#if UINTPTR_MAX == 0xffffffffffffffffu
#define ASSAY_SIZE(type, bytes) ASSAY_STATIC_ASSERT(sizeof(type) == bytes, "size of " #type)
#define ASSAY_OFFSET(type, field, bytes) \
    ASSAY_STATIC_ASSERT(offsetof(type, field) == bytes, "offset of " #field " in " #type)
/* Generated: */
ASSAY_SIZE(assay_str, 16);
ASSAY_OFFSET(assay_str, ptr, 0);
ASSAY_OFFSET(assay_str, len, 8);
ASSAY_SIZE(assay_val, 16);
ASSAY_OFFSET(assay_val, tag, 0);
ASSAY_OFFSET(assay_val, len, 4);
ASSAY_OFFSET(assay_val, u, 8);
ASSAY_SIZE(assay_record, 16);
ASSAY_OFFSET(assay_record, klass, 0);
ASSAY_OFFSET(assay_record, pairs, 8);
ASSAY_SIZE(assay_ret, 8);
ASSAY_OFFSET(assay_ret, set, 0);
ASSAY_SIZE(assay_call, 56);
ASSAY_OFFSET(assay_call, size, 0);
ASSAY_OFFSET(assay_call, nargs, 4);
ASSAY_OFFSET(assay_call, args, 8);
ASSAY_OFFSET(assay_call, self, 16);
ASSAY_OFFSET(assay_call, vm, 24);
ASSAY_OFFSET(assay_call, ret, 32);
ASSAY_OFFSET(assay_call, task, 40);
ASSAY_SIZE(assay_task, 16);
ASSAY_OFFSET(assay_task, data, 0);
ASSAY_OFFSET(assay_task, vt, 8);
ASSAY_SIZE(assay_task_vt, 24);
ASSAY_OFFSET(assay_task_vt, size, 0);
ASSAY_OFFSET(assay_task_vt, reserved, 4);
ASSAY_OFFSET(assay_task_vt, poll, 8);
ASSAY_OFFSET(assay_task_vt, drop, 16);
ASSAY_SIZE(assay_waker, 8);
ASSAY_OFFSET(assay_waker, vt, 0);
ASSAY_SIZE(assay_waker_vt, 32);
ASSAY_OFFSET(assay_waker_vt, size, 0);
ASSAY_OFFSET(assay_waker_vt, reserved, 4);
ASSAY_OFFSET(assay_waker_vt, retain, 8);
ASSAY_OFFSET(assay_waker_vt, release, 16);
ASSAY_OFFSET(assay_waker_vt, wake, 24);
ASSAY_SIZE(assay_fn_desc, 64);
ASSAY_OFFSET(assay_fn_desc, name, 0);
ASSAY_OFFSET(assay_fn_desc, flags, 16);
ASSAY_OFFSET(assay_fn_desc, reserved, 20);
ASSAY_OFFSET(assay_fn_desc, call, 24);
ASSAY_OFFSET(assay_fn_desc, doc, 32);
ASSAY_OFFSET(assay_fn_desc, sig, 48);
ASSAY_SIZE(assay_obj, 8);
ASSAY_OFFSET(assay_obj, vt, 0);
ASSAY_SIZE(assay_obj_vt, 64);
ASSAY_OFFSET(assay_obj_vt, size, 0);
ASSAY_OFFSET(assay_obj_vt, nmethods, 4);
ASSAY_OFFSET(assay_obj_vt, type_name, 8);
ASSAY_OFFSET(assay_obj_vt, methods, 24);
ASSAY_OFFSET(assay_obj_vt, retain, 32);
ASSAY_OFFSET(assay_obj_vt, release, 40);
ASSAY_OFFSET(assay_obj_vt, doc, 48);
ASSAY_SIZE(assay_func, 8);
ASSAY_OFFSET(assay_func, vt, 0);
ASSAY_SIZE(assay_func_vt, 48);
ASSAY_OFFSET(assay_func_vt, size, 0);
ASSAY_OFFSET(assay_func_vt, reserved, 4);
ASSAY_OFFSET(assay_func_vt, retain, 8);
ASSAY_OFFSET(assay_func_vt, release, 16);
ASSAY_OFFSET(assay_func_vt, call, 24);
ASSAY_OFFSET(assay_func_vt, cancel, 32);
ASSAY_OFFSET(assay_func_vt, call_now, 40);
ASSAY_SIZE(assay_buf, 24);
ASSAY_OFFSET(assay_buf, vt, 0);
ASSAY_OFFSET(assay_buf, ptr, 8);
ASSAY_OFFSET(assay_buf, len, 16);
ASSAY_SIZE(assay_buf_vt, 24);
ASSAY_OFFSET(assay_buf_vt, size, 0);
ASSAY_OFFSET(assay_buf_vt, reserved, 4);
ASSAY_OFFSET(assay_buf_vt, retain, 8);
ASSAY_OFFSET(assay_buf_vt, release, 16);
ASSAY_SIZE(assay_vm, 8);
ASSAY_OFFSET(assay_vm, vt, 0);
ASSAY_SIZE(assay_vm_vt, 24);
ASSAY_OFFSET(assay_vm_vt, size, 0);
ASSAY_OFFSET(assay_vm_vt, reserved, 4);
ASSAY_OFFSET(assay_vm_vt, retain, 8);
ASSAY_OFFSET(assay_vm_vt, release, 16);
ASSAY_SIZE(assay_host_api, 32);
ASSAY_OFFSET(assay_host_api, size, 0);
ASSAY_OFFSET(assay_host_api, major, 4);
ASSAY_OFFSET(assay_host_api, minor, 6);
ASSAY_OFFSET(assay_host_api, service, 8);
ASSAY_OFFSET(assay_host_api, log, 16);
ASSAY_OFFSET(assay_host_api, allowed, 24);
ASSAY_SIZE(assay_reactor_api, 80);
ASSAY_OFFSET(assay_reactor_api, size, 0);
ASSAY_OFFSET(assay_reactor_api, reserved, 4);
ASSAY_OFFSET(assay_reactor_api, io_new, 8);
ASSAY_OFFSET(assay_reactor_api, io_poll, 16);
ASSAY_OFFSET(assay_reactor_api, io_clear, 24);
ASSAY_OFFSET(assay_reactor_api, io_drop, 32);
ASSAY_OFFSET(assay_reactor_api, timer_new, 40);
ASSAY_OFFSET(assay_reactor_api, timer_poll, 48);
ASSAY_OFFSET(assay_reactor_api, timer_reset, 56);
ASSAY_OFFSET(assay_reactor_api, timer_drop, 64);
ASSAY_OFFSET(assay_reactor_api, spawn, 72);
ASSAY_SIZE(assay_workers_api, 24);
ASSAY_OFFSET(assay_workers_api, size, 0);
ASSAY_OFFSET(assay_workers_api, reserved, 4);
ASSAY_OFFSET(assay_workers_api, identify, 8);
ASSAY_OFFSET(assay_workers_api, start, 16);
ASSAY_SIZE(assay_limits_api, 16);
ASSAY_OFFSET(assay_limits_api, size, 0);
ASSAY_OFFSET(assay_limits_api, reserved, 4);
ASSAY_OFFSET(assay_limits_api, limit, 8);
ASSAY_SIZE(assay_shutdown_api, 16);
ASSAY_OFFSET(assay_shutdown_api, size, 0);
ASSAY_OFFSET(assay_shutdown_api, reserved, 4);
ASSAY_OFFSET(assay_shutdown_api, shutdown, 8);
ASSAY_SIZE(assay_plugin_decl, 128);
ASSAY_OFFSET(assay_plugin_decl, magic, 0);
ASSAY_OFFSET(assay_plugin_decl, major, 8);
ASSAY_OFFSET(assay_plugin_decl, minor, 10);
ASSAY_OFFSET(assay_plugin_decl, size, 12);
ASSAY_OFFSET(assay_plugin_decl, flags, 16);
ASSAY_OFFSET(assay_plugin_decl, nfns, 20);
ASSAY_OFFSET(assay_plugin_decl, name, 24);
ASSAY_OFFSET(assay_plugin_decl, version, 40);
ASSAY_OFFSET(assay_plugin_decl, sdk, 56);
ASSAY_OFFSET(assay_plugin_decl, fns, 72);
ASSAY_OFFSET(assay_plugin_decl, init, 80);
ASSAY_OFFSET(assay_plugin_decl, extension, 88);
ASSAY_OFFSET(assay_plugin_decl, doc, 96);
ASSAY_OFFSET(assay_plugin_decl, classes, 112);
ASSAY_OFFSET(assay_plugin_decl, nclasses, 120);
ASSAY_OFFSET(assay_plugin_decl, reserved, 124);
ASSAY_SIZE(assay_val_u, 8);
ASSAY_OFFSET(assay_val_u, b, 0);
ASSAY_OFFSET(assay_val_u, i, 0);
ASSAY_OFFSET(assay_val_u, f, 0);
ASSAY_OFFSET(assay_val_u, s, 0);
ASSAY_OFFSET(assay_val_u, l, 0);
ASSAY_OFFSET(assay_val_u, o, 0);
ASSAY_OFFSET(assay_val_u, fun, 0);
ASSAY_OFFSET(assay_val_u, buf, 0);
ASSAY_OFFSET(assay_val_u, r, 0);
/* End. */
#else
#error "the plugin ABI is for 64-bit systems"
#endif

#ifdef __cplusplus
}
#endif
#endif
