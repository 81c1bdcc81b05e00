//! What was released stays. `released/v1_0.rs` is `src/abi.rs` as of 1.0, never to be changed; a
//! later minor adds its own copy and its own tests beside these.

use std::mem::offset_of;

use assay_plugin::abi;

// As it was, down to its formatting and its unused parts.
#[rustfmt::skip]
#[allow(dead_code, missing_docs, clippy::all, unreachable_pub)]
#[path = "released/v1_0.rs"]
mod v1_0;

/// Plugins in the field carry this number in their notes.
const LAYOUT_1_0: u64 = 0x5f25_ebe1_0aa1_97d9;

#[test]
fn layout_of_1_0_is_accepted() {
    assert_eq!(v1_0::LAYOUT, LAYOUT_1_0, "released/v1_0.rs was changed");
    assert!(
        abi::LAYOUTS.contains(&(0, LAYOUT_1_0)),
        "plugins of 1.0 would be refused"
    );
    if abi::ABI_MINOR == 0 {
        assert_eq!(
            abi::LAYOUT,
            LAYOUT_1_0,
            "1.0 is released: a new layout needs a new minor"
        );
    }
}

/// One layout for each minor, the last the current.
#[test]
fn layouts_are_listed() {
    let minors: Vec<_> = abi::LAYOUTS.iter().map(|(minor, _)| *minor).collect();
    assert_eq!(minors, (0..=abi::ABI_MINOR).collect::<Vec<_>>());
    assert_eq!(abi::LAYOUTS.last(), Some(&(abi::ABI_MINOR, abi::LAYOUT)));
}

macro_rules! compare {
    ($($kind:ident $t:ident { $($field:ident),* })*) => {
        /// Every field of 1.0 is where it was; what is passed in arrays or by value has its size.
        #[test]
        fn fields_of_1_0_are_in_place() {
            $(
                let (old, new) = (size_of::<v1_0::$t>(), size_of::<abi::$t>());
                assert!(new >= old, "{} shrank", stringify!($t));
                if stringify!($kind) == "frozen" {
                    assert_eq!(new, old, "{} cannot grow", stringify!($t));
                }
                $(
                    assert_eq!(
                        offset_of!(abi::$t, $field),
                        offset_of!(v1_0::$t, $field),
                        "{}.{}", stringify!($t), stringify!($field),
                    );
                )*
            )*
        }

        /// The types of the fields too, by abi_stable. A struct that grows is compared by hand.
        #[cfg(feature = "guard")]
        #[test]
        fn types_of_1_0_are_unchanged() {
            use abi_stable::StableAbi;
            use abi_stable::abi_stability::abi_checking::check_layout_compatibility;
            $(
                if size_of::<v1_0::$t>() == size_of::<abi::$t>() {
                    check_layout_compatibility(
                        <v1_0::$t as StableAbi>::LAYOUT,
                        <abi::$t as StableAbi>::LAYOUT,
                    )
                    .unwrap_or_else(|error| panic!("{}: {error}", stringify!($t)));
                }
            )*
        }
    };
}
compare! {
    frozen Str { ptr, len }
    frozen Val { tag, len, u }
    frozen Record { class, pairs }
    frozen Task { data, vt }
    frozen FnDesc { name, flags, reserved, call, doc, sig }
    // Their makers' structures go on behind these.
    frozen Ret { set }
    frozen WakerHdr { vt }
    frozen ObjHdr { vt }
    frozen FuncHdr { vt }
    frozen BufHdr { vt, ptr, len }
    frozen VmHdr { vt }
    growing Call { size, nargs, args, this, vm, ret, task }
    growing TaskVt { size, reserved, poll, drop }
    growing WakerVt { size, reserved, retain, release, wake }
    growing ObjVt { size, nmethods, type_name, methods, retain, release, doc }
    growing FuncVt { size, reserved, retain, release, call, cancel, call_now }
    growing BufVt { size, reserved, retain, release }
    growing VmVt { size, reserved, retain, release }
    growing HostApi { size, major, minor, service, log, allowed }
    growing ReactorApi {
        size, reserved, io_new, io_poll, io_clear, io_drop, timer_new, timer_poll, timer_reset,
        timer_drop, spawn
    }
    growing ShutdownApi { size, reserved, shutdown }
    growing PluginDecl {
        magic, major, minor, size, flags, nfns, name, version, sdk, fns, init, extension, doc,
        classes, nclasses, reserved
    }
}

/// The guard guards: a change that keeps sizes and offsets is still found.
#[cfg(feature = "guard")]
#[test]
fn guard_sees_a_changed_type() {
    use abi_stable::StableAbi;
    use abi_stable::abi_stability::abi_checking::check_layout_compatibility;

    #[repr(C)]
    #[derive(StableAbi)]
    struct Str {
        ptr: *const u8,
        len: isize,
    }
    let result =
        check_layout_compatibility(<v1_0::Str as StableAbi>::LAYOUT, <Str as StableAbi>::LAYOUT);
    assert!(result.is_err());
}
