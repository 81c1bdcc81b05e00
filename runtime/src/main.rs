//! The executable `assay`: parse, dispatch, render the error, exit code.

mod cli;

fn main() {
    let arguments = std::env::args_os().skip(1).collect();
    let code = cli::terminal::contained(|| match cli::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            cli::terminal::error(&error.into());
            cli::exit::USAGE
        }
    });
    cli::exit::now(code)
}
