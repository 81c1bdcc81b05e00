//! The Assay runtime: a Lua 5.5 VM with core builtins, plugins loaded on first use, and `require`
//! over library roots.
//!
//! Not here: sockets, packages, any knowledge of the systems that libraries talk to.
//!
//! # Layout
//! - [`Vm`], [`Config`]: making a VM and running scripts in it; [`EventLoop`], for hosts without one.
//! - `builtins`: the core families, written with the plugin kit.
//! - `lua`: the VM from the inside: bridge, coroutines, and the builtins that need the Lua stack.
//! - [`plugins`]: finding, checking and loading `.so` files.
//! - [`policy`]: what scripts may do.
//! - [`checks`]: checks in YAML, from the file to their results.
//! - [`log`], [`Error`]: what leaves a VM besides results.
//!
//! The executable `assay` is `main.rs` and its module `cli`, over nothing but this.
//!
//! # Example
//! ```
//! let vm = assay::Vm::new(assay::Config::default())?;
//! let value = assay::EventLoop::new()?.block_on(vm.eval("=example", b"return json.encode({ok = true})"))?;
//! assert_eq!(value.as_str(), Some(r#"{"ok":true}"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builtins;
pub mod checks;
mod error;
mod event_loop;
pub mod log;
mod lua;
mod order;
pub mod plugins;
pub mod policy;
mod vm;

pub use assay_plugin::Value;
pub use error::{Error, Facts};
pub use event_loop::EventLoop;
pub use policy::Policy;
pub use vm::{Config, Output, StartWorker, StopHandle, Stopped, Vm, Worker, display_size};
