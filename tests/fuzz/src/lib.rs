//! What the targets share: a VM that lives as long as the process, and views of values.

use assay_plugin::{Arena, Error, Func, IntoArgs, IntoVal, Value, View};

/// Shows a value as the other side of the boundary would see it.
///
/// # Errors
/// Kind `depth`.
pub fn with_view<T>(value: &Value, f: impl FnOnce(View<'_>) -> T) -> Result<T, Error> {
    let mut arena = Arena::default();
    let val = value.to_val(&mut arena)?;
    // SAFETY: value and arena outlive the call.
    #[allow(unsafe_code)]
    Ok(f(unsafe { View::new(&val) }))
}

/// A Lua function in a VM with every builtin.
pub struct Lua {
    vm: assay::Vm,
    function: Func,
    runtime: tokio::runtime::Runtime,
}

impl Lua {
    /// Compiles the body of a function.
    pub fn new(source: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let guard = runtime.enter();
        let vm = assay::Vm::new(assay::Config::default()).expect("a VM");
        let function = vm.load("=fuzz", source.as_bytes()).expect("Lua");
        drop(guard);
        Self {
            vm,
            function,
            runtime,
        }
    }

    /// Calls the function.
    ///
    /// # Errors
    /// What it raised.
    pub fn try_call(&self, args: impl IntoArgs) -> Result<Value, Error> {
        let call = self.function.call::<Value>(args);
        let result = self.runtime.block_on(self.vm.run_until(call));
        result.expect("a VM that runs")
    }

    /// Calls a function that catches what it expects.
    ///
    /// # Panics
    /// With what it raised.
    pub fn call(&self, args: impl IntoArgs) -> Value {
        self.try_call(args)
            .unwrap_or_else(|error| panic!("{error:?}"))
    }
}
