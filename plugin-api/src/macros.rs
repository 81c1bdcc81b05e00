//! `plugin!`, `family!`, `object!`, `record!`: from lists of names to the descriptions on the wire.

/// Declares the plugin: its family, what it needs, its functions and classes.
///
/// Each function is named as in Lua and must be in scope; the text is its LuaCATS type, the doc
/// comment its documentation. `async fn` marks functions that return futures; `const` marks values:
/// what the function of that name returns when the family is loaded (`const null = "lightuserdata"`).
///
/// Optional, in this order: `permissions: [...]` it may ask for, `needs: ["assay.reactor/1"]` services
/// of the host without which it cannot work, `links: [...]` native libraries that must be linked
/// once only, `shutdown: path` to a `fn(Duration) -> bool` that is called when the process was asked
/// to end and answers whether something runs that will end by itself, `types:
/// include_str!("../types/hello.lua")`: LuaCATS stubs, where there is more to say than the list of
/// functions does, such as the fields of options. `assay types` hands them to editors, and the macro adds
/// a unit test that holds them to what is registered ([`test::check_types`](crate::test::check_types)).
///
/// ```
/// use assay_plugin::{Result, plugin};
///
/// fn greet(name: &str, times: Option<u32>) -> String {
///     format!("hello {name}! ").repeat(times.unwrap_or(1) as usize)
/// }
///
/// plugin! {
///     /// Says hello.
///     name: "hello",
///     functions: {
///         /// Greets somebody, several times if asked to.
///         fn greet = "fun(name: string, times?: integer): string",
///     },
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! plugin {
    (
        $(#[doc = $doc:literal])*
        name: $name:literal,
        $(permissions: [$($permission:literal),* $(,)?],)?
        $(needs: [$($service:literal),* $(,)?],)?
        $(links: [$($link:literal),* $(,)?],)?
        $(shutdown: $shutdown:path,)?
        $(types: $types:expr,)?
        functions: { $($functions:tt)* },
        $(classes: [$($class:ty),* $(,)?],)?
    ) => {
        #[doc(hidden)]
        #[allow(unsafe_code)]
        mod __assay_plugin {
            #[allow(unused_imports)]
            use super::*;

            $crate::__declaration! {
                #[unsafe(export_name = concat!("assay_plugin_v1_", $name))]
                ASSAY_PLUGIN, [$($doc)*], $name, [$($functions)*], [$($($class),*)?], [$($shutdown)?], [$($types)?]
            }

            $(
                #[cfg(test)]
                #[test]
                fn types_are_what_is_registered() {
                    $crate::test::check_types(&ASSAY_PLUGIN, $types);
                }
            )?

            const TEXT: &[&str] = &[
                "name=", $name,
                ";version=", env!("CARGO_PKG_VERSION"),
                ";abi=1.0",
                ";needs=", concat!("" $($(, $service, ",")*)?),
                ";links=", concat!("" $($(, $link, ",")*)?),
                ";panic=", $crate::PANIC,
                ";perm=", concat!("" $($(, $permission, ",")*)?),
                ";sdk=", $crate::VERSION,
                ";layout=", $crate::note::LAYOUT,
                ";",
            ];

            #[used]
            #[unsafe(link_section = ".note.assay")]
            static NOTE: $crate::note::Note<{ $crate::note::len(TEXT) }> = $crate::note::Note::new(TEXT);
        }
        pub use __assay_plugin::ASSAY_PLUGIN;
    };
}

/// As [`plugin!`], for families that are compiled into a host: only the description, as
/// `pub static FAMILY`, without the symbol and the note of a file.
#[macro_export]
macro_rules! family {
    (
        $(#[doc = $doc:literal])*
        name: $name:literal,
        functions: { $($functions:tt)* },
        $(classes: [$($class:ty),* $(,)?],)?
    ) => {
        #[allow(unsafe_code)]
        mod __assay_family {
            #[allow(unused_imports)]
            use super::*;
            $crate::__declaration! {
                FAMILY, [$($doc)*], $name, [$($functions)*], [$($($class),*)?], [], []
            }
        }
        pub use __assay_family::FAMILY;
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __declaration {
    ($(#[$attr:meta])* $static:ident, [$($doc:literal)*], $name:literal, [$($functions:tt)*], [$($class:ty),*], [$($shutdown:path)?], [$($types:expr)?]) => {
        static FUNCTIONS: &[$crate::abi::FnDesc] = $crate::__functions!([$($functions)*]);
        static CLASSES: &[$crate::ClassPtr] = &[$($crate::ClassPtr::of::<$class>()),*];

        unsafe extern "C" fn init(host: *const $crate::abi::HostApi, ret: *mut $crate::abi::Ret) -> i32 {
            $crate::__init(host, ret)
        }

        unsafe extern "C" fn extension(name: $crate::abi::Str) -> *const ::core::ffi::c_void {
            #[allow(unused_mut, unused_assignments)]
            let mut shutdown: ::core::option::Option<&'static $crate::abi::ShutdownApi> = None;
            $(
                unsafe extern "C" fn begin(nanos: u64) -> i32 {
                    $crate::__shutdown($shutdown, nanos)
                }
                static SHUTDOWN: $crate::abi::ShutdownApi = $crate::abi::ShutdownApi {
                    size: size_of::<$crate::abi::ShutdownApi>() as u32,
                    reserved: 0,
                    shutdown: begin,
                };
                shutdown = Some(&SHUTDOWN);
            )?
            #[allow(unused_mut, unused_assignments)]
            let mut types: ::core::option::Option<&'static $crate::abi::Str> = None;
            $(
                static TYPES: $crate::abi::Str = $crate::abi::Str::new($types);
                types = Some(&TYPES);
            )?
            $crate::__extension(name, shutdown, types)
        }

        /// The family, as the host finds it.
        $(#[$attr])*
        pub static $static: $crate::abi::PluginDecl = $crate::abi::PluginDecl {
            magic: $crate::abi::MAGIC,
            major: $crate::abi::ABI_MAJOR,
            minor: 0,
            size: size_of::<$crate::abi::PluginDecl>() as u32,
            flags: 0,
            nfns: FUNCTIONS.len() as u32,
            name: $crate::abi::Str::new($name),
            version: $crate::abi::Str::new(env!("CARGO_PKG_VERSION")),
            sdk: $crate::abi::Str::new($crate::VERSION),
            fns: FUNCTIONS.as_ptr(),
            init,
            extension,
            doc: $crate::abi::Str::new(concat!($($doc, "\n",)* "")),
            classes: CLASSES.as_ptr().cast(),
            nclasses: CLASSES.len() as u32,
            reserved: 0,
        };
    };
}

/// Makes a type an object with methods: functions of the type, whose first parameter is
/// `this: Ref<Self>`.
///
/// Methods named `__call`, `__close`, `__index`, `__len` and `__tostring` become metamethods.
///
/// ```
/// use assay_plugin::{Ref, object};
/// use std::sync::atomic::{AtomicI64, Ordering};
///
/// struct Counter(AtomicI64);
///
/// impl Counter {
///     fn add(this: Ref<Counter>, by: Option<i64>) -> i64 {
///         this.0.fetch_add(by.unwrap_or(1), Ordering::Relaxed)
///     }
/// }
///
/// object! {
///     /// Counts.
///     Counter as "demo.Counter" {
///         /// Adds, and returns what there was before.
///         fn add = "fun(by?: integer): integer",
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! object {
    ($(#[doc = $doc:literal])* $type:ty as $name:literal { $($methods:tt)* }) => {
        $crate::__class!([$($doc)*] $type, $name, $crate::__retain::<$type>, $crate::__release::<$type>, [$($methods)*]);
        impl $crate::Object for $type {}
    };
}

/// Makes a type the class of records: plain tables with methods, which get the table as their
/// first parameter.
#[macro_export]
macro_rules! record {
    ($(#[doc = $doc:literal])* $type:ty as $name:literal { $($methods:tt)* }) => {
        $crate::__class!([$($doc)*] $type, $name, $crate::__no_count, $crate::__no_count, [$($methods)*]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __class {
    ([$($doc:literal)*] $type:ty, $name:literal, $retain:expr, $release:expr, [$($methods:tt)*]) => {
        #[allow(unsafe_code)]
        const _: () = {
            static METHODS: &[$crate::abi::FnDesc] = $crate::__functions!([$($methods)*] $type);
            static CLASS: $crate::abi::ObjVt = $crate::abi::ObjVt {
                size: size_of::<$crate::abi::ObjVt>() as u32,
                nmethods: METHODS.len() as u32,
                type_name: $crate::abi::Str::new($name),
                methods: METHODS.as_ptr(),
                retain: $retain,
                release: $release,
                doc: $crate::abi::Str::new(concat!($($doc, "\n",)* "")),
            };
            impl $crate::Class for $type {
                fn class() -> &'static $crate::abi::ObjVt {
                    &CLASS
                }
                const CLASS: *const $crate::abi::ObjVt = &raw const CLASS;
            }
        };
    };
}

/// A list of `fn name = "type",` and `async fn name = "type",` with doc comments, as descriptions.
#[doc(hidden)]
#[macro_export]
macro_rules! __functions {
    (@done [$($out:tt)*]) => { &[$($out)*] };
    (@more [$($out:tt)*] [$($type:ty)?]) => { $crate::__functions!(@done [$($out)*]) };
    (@more [$($out:tt)*] [$($type:ty)?] $(#[doc = $doc:literal])* fn $name:ident = $sig:literal, $($rest:tt)*) => {
        $crate::__functions!(@more [$($out)* $crate::__function!(
            0, __call_sync, [$($type)?] $name, [$($doc)*], $sig
        ),] [$($type)?] $($rest)*)
    };
    (@more [$($out:tt)*] [$($type:ty)?] $(#[doc = $doc:literal])* async fn $name:ident = $sig:literal, $($rest:tt)*) => {
        $crate::__functions!(@more [$($out)* $crate::__function!(
            $crate::abi::flag::ASYNC, __call_async, [$($type)?] $name, [$($doc)*], $sig
        ),] [$($type)?] $($rest)*)
    };
    (@more [$($out:tt)*] [$($type:ty)?] $(#[doc = $doc:literal])* const $name:ident = $sig:literal, $($rest:tt)*) => {
        $crate::__functions!(@more [$($out)* $crate::__function!(
            $crate::abi::flag::VALUE, __call_sync, [$($type)?] $name, [$($doc)*], $sig
        ),] [$($type)?] $($rest)*)
    };
    ([$($list:tt)*] $($type:ty)?) => { $crate::__functions!(@more [] [$($type)?] $($list)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __function {
    ($flags:expr, $entry:ident, [$($type:ty)?] $name:ident, [$($doc:literal)*], $sig:literal) => {
        $crate::abi::FnDesc {
            name: $crate::abi::Str::new($crate::__lua_name(stringify!($name))),
            flags: $flags,
            reserved: 0,
            call: {
                unsafe extern "C" fn entry(call: *mut $crate::abi::Call) -> i32 {
                    // SAFETY: the host passes a live call block.
                    unsafe { $crate::$entry(&$(<$type>::)?$name, call) }
                }
                entry
            },
            doc: $crate::abi::Str::new(concat!($($doc, "\n",)* "")),
            sig: $crate::abi::Str::new($sig),
        }
    };
}
