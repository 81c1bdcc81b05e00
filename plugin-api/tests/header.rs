//! `include/assay_plugin.h` is `src/abi.rs`: every size, offset and constant.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::Command;

use assay_plugin::{abi, note};

/// A wire struct: its name in C, its size, and name in C and offset of each field.
struct Layout {
    c: &'static str,
    size: usize,
    fields: Vec<(&'static str, usize)>,
}

/// `class` and `this` are keywords of C++.
fn c_name(rust: &'static str) -> &'static str {
    match rust {
        "this" => "self",
        "class" => "klass",
        other => other,
    }
}

macro_rules! layouts {
    ($($c:ident = $rust:ident { $($field:ident),* $(,)? })*) => {
        fn layouts() -> Vec<Layout> {
            vec![$(
                Layout {
                    c: stringify!($c),
                    size: size_of::<abi::$rust>(),
                    fields: vec![$((c_name(stringify!($field)), offset_of!(abi::$rust, $field))),*],
                },
            )*]
        }

        // Does not compile when a field is missing above.
        $(
            const _: fn(abi::$rust) = |value| {
                let abi::$rust { $($field: _),* } = value;
            };
        )*
    };
}
layouts! {
    assay_str = Str { ptr, len }
    assay_val = Val { tag, len, u }
    assay_record = Record { class, pairs }
    assay_ret = Ret { set }
    assay_call = Call { size, nargs, args, this, vm, ret, task }
    assay_task = Task { data, vt }
    assay_task_vt = TaskVt { size, reserved, poll, drop }
    assay_waker = WakerHdr { vt }
    assay_waker_vt = WakerVt { size, reserved, retain, release, wake }
    assay_fn_desc = FnDesc { name, flags, reserved, call, doc, sig }
    assay_obj = ObjHdr { vt }
    assay_obj_vt = ObjVt { size, nmethods, type_name, methods, retain, release, doc }
    assay_func = FuncHdr { vt }
    assay_func_vt = FuncVt { size, reserved, retain, release, call, cancel, call_now }
    assay_buf = BufHdr { vt, ptr, len }
    assay_buf_vt = BufVt { size, reserved, retain, release }
    assay_vm = VmHdr { vt }
    assay_vm_vt = VmVt { size, reserved, retain, release }
    assay_host_api = HostApi { size, major, minor, service, log, allowed }
    assay_reactor_api = ReactorApi {
        size, reserved, io_new, io_poll, io_clear, io_drop, timer_new, timer_poll, timer_reset,
        timer_drop, spawn
    }
    assay_workers_api = WorkersApi { size, reserved, identify, start }
    assay_limits_api = LimitsApi { size, reserved, limit }
    assay_shutdown_api = ShutdownApi { size, reserved, shutdown }
    assay_plugin_decl = PluginDecl {
        magic, major, minor, size, flags, nfns, name, version, sdk, fns, init, extension, doc,
        classes, nclasses, reserved
    }
}

fn all_layouts() -> Vec<Layout> {
    let mut all = layouts();
    // A union has no pattern of all its fields.
    all.push(Layout {
        c: "assay_val_u",
        size: size_of::<abi::ValU>(),
        fields: ["b", "i", "f", "s", "l", "o", "fun", "buf", "r"]
            .map(|f| (f, 0))
            .into(),
    });
    all
}

const CONSTANTS: &[(&str, i64)] = &[
    ("ASSAY_ABI_MAJOR", abi::ABI_MAJOR as i64),
    ("ASSAY_ABI_MINOR", abi::ABI_MINOR as i64),
    ("ASSAY_OK", abi::OK as i64),
    ("ASSAY_ERR", abi::ERR as i64),
    ("ASSAY_PENDING", abi::PENDING as i64),
    ("ASSAY_NIL", abi::tag::NIL as i64),
    ("ASSAY_BOOL", abi::tag::BOOL as i64),
    ("ASSAY_INT", abi::tag::INT as i64),
    ("ASSAY_FLOAT", abi::tag::FLOAT as i64),
    ("ASSAY_STRING", abi::tag::STR as i64),
    ("ASSAY_LIST", abi::tag::LIST as i64),
    ("ASSAY_MAP", abi::tag::MAP as i64),
    ("ASSAY_OBJECT", abi::tag::OBJECT as i64),
    ("ASSAY_FUNC", abi::tag::FUNC as i64),
    ("ASSAY_BUF", abi::tag::BUF as i64),
    ("ASSAY_ERROR", abi::tag::ERROR as i64),
    ("ASSAY_NULL", abi::tag::NULL as i64),
    ("ASSAY_RECORD", abi::tag::RECORD as i64),
    ("ASSAY_FN_ASYNC", abi::flag::ASYNC as i64),
    ("ASSAY_FN_VALUE", abi::flag::VALUE as i64),
    ("ASSAY_LOG_DEBUG", abi::level::DEBUG as i64),
    ("ASSAY_LOG_INFO", abi::level::INFO as i64),
    ("ASSAY_LOG_WARN", abi::level::WARN as i64),
    ("ASSAY_LOG_ERROR", abi::level::ERROR as i64),
    (
        "ASSAY_IO_READ",
        assay_plugin::reactor::Direction::Read as i64,
    ),
    (
        "ASSAY_IO_WRITE",
        assay_plugin::reactor::Direction::Write as i64,
    ),
];

/// What the C compiler makes of the header is what Rust makes of `abi.rs`.
#[test]
fn c_sees_what_rust_sees() {
    let mut program =
        String::from("#include \"assay_plugin.h\"\n#include <stdio.h>\nint main(void) {\n");
    let mut expected = BTreeMap::new();
    let mut put = |program: &mut String, expression: String, value: i64| {
        writeln!(
            program,
            r#"printf("%s=%lld\n", "{expression}", (long long)({expression}));"#
        )
        .unwrap();
        expected.insert(expression, value.to_string());
    };
    for layout in all_layouts() {
        put(
            &mut program,
            format!("sizeof({})", layout.c),
            layout.size as i64,
        );
        for (field, offset) in layout.fields {
            put(
                &mut program,
                format!("offsetof({}, {field})", layout.c),
                offset as i64,
            );
        }
    }
    for (name, value) in CONSTANTS {
        put(&mut program, (*name).to_owned(), *value);
    }
    program.push_str(
        "printf(\"layout=%s\\nmagic=%s\\n\", ASSAY_LAYOUT, ASSAY_MAGIC);\nreturn 0;\n}\n",
    );
    expected.insert("layout".into(), note::LAYOUT.into());
    expected.insert("magic".into(), String::from_utf8_lossy(&abi::MAGIC).into());

    let dir = scratch("c_sees_what_rust_sees");
    let binary = dir.join("layout");
    compile(
        &dir,
        "layout.c",
        &program,
        &["-o", binary.to_str().unwrap()],
    );
    let output = Command::new(&binary).output().unwrap();
    assert!(output.status.success());
    let found: BTreeMap<_, _> = std::str::from_utf8(&output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    for (key, value) in &expected {
        assert_eq!(found.get(key), Some(value), "{key}");
    }
    assert_eq!(found.len(), expected.len());
}

/// Nothing in the header is missing from the lists above.
#[test]
fn lists_are_complete() {
    let header = std::fs::read_to_string(header()).unwrap();
    let listed: Vec<_> = all_layouts().iter().map(|layout| layout.c).collect();
    let declared: Vec<_> = header
        .lines()
        .filter_map(|line| {
            line.strip_prefix("typedef struct ")
                .or(line.strip_prefix("typedef union "))
        })
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(declared.len(), listed.len());
    for name in declared {
        assert!(listed.contains(&name), "{name}");
    }
}

/// The asserts in the header, which C plugins compile, are generated. `UPDATE=1` rewrites them.
#[test]
fn asserts_are_current() {
    let mut asserts = String::new();
    for layout in all_layouts() {
        writeln!(asserts, "ASSAY_SIZE({}, {});", layout.c, layout.size).unwrap();
        for (field, offset) in layout.fields {
            writeln!(asserts, "ASSAY_OFFSET({}, {field}, {offset});", layout.c).unwrap();
        }
    }
    let path = header();
    let header = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = header.split_once("/* Generated: */\n").unwrap();
    let (current, after) = rest.split_once("/* End. */\n").unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(
            &path,
            format!("{before}/* Generated: */\n{asserts}/* End. */\n{after}"),
        )
        .unwrap();
    } else {
        assert_eq!(current, asserts, "run the test with UPDATE=1");
    }
}

/// The macros make the note that the kit makes.
#[test]
fn notes_are_alike() {
    let dir = scratch("notes_are_alike");
    let object = dir.join("note.o");
    let program = r#"
        #include "assay_plugin.h"
        ASSAY_PLUGIN_NOTE("half_ling", "1.2.3", "assay.reactor/1,", "", "net.connect,net.listen,");
    "#;
    compile(
        &dir,
        "note.c",
        program,
        &["-c", "-o", object.to_str().unwrap()],
    );
    let parts = [
        "name=half_ling;version=1.2.3;abi=1.0;needs=assay.reactor/1,;links=;panic=unwind;",
        "perm=net.connect,net.listen,;sdk=c;layout=",
        note::LAYOUT,
        ";",
    ];
    const LEN: usize = 140;
    assert_eq!(note::len(&parts), LEN);
    let note = note::Note::<LEN>::new(&parts);
    // SAFETY: integers and bytes without padding.
    let note =
        unsafe { std::slice::from_raw_parts((&raw const note).cast::<u8>(), size_of_val(&note)) };
    let file = std::fs::read(object).unwrap();
    assert!(
        file.windows(note.len()).any(|window| window == note),
        "the note of the C file differs"
    );
}

/// C++ plugins exist.
#[test]
fn header_is_cplusplus_too() {
    let dir = scratch("header_is_cplusplus_too");
    std::fs::write(dir.join("header.cc"), "#include \"assay_plugin.h\"\n").unwrap();
    let output = Command::new("cc")
        .args([
            "-x",
            "c++",
            "-std=c++17",
            "-Wall",
            "-Werror",
            "-fsyntax-only",
            "-I",
        ])
        .arg(header().parent().unwrap())
        .arg(dir.join("header.cc"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    // A machine with a C compiler need not have one for C++.
    assert!(
        output.status.success() || errors.contains("cc1plus"),
        "{errors}"
    );
}

fn header() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include/assay_plugin.h")
}

pub fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn compile(dir: &Path, file: &str, program: &str, args: &[&str]) {
    let source = dir.join(file);
    std::fs::write(&source, program).unwrap();
    compile_with(&source, args);
}

pub fn compile_to(source: &Path, to: &Path, args: &[&str]) {
    let mut args = args.to_vec();
    args.extend(["-o", to.to_str().unwrap()]);
    compile_with(source, &args);
}

fn compile_with(source: &Path, args: &[&str]) {
    let output = Command::new("cc")
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-g",
            "-I",
        ])
        .arg(header().parent().unwrap())
        .arg(source)
        .args(args)
        .output()
        .expect("a C compiler (cc)");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
