pub mod builtins;

