//! The binary: arguments in, exit code out. Everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let exit = sluice::cli::run(std::env::args_os(), &mut std::io::stdout());
    let exit = exit.unwrap_or_else(|failure| {
        eprintln!("sluice: {failure}");
        failure.exit()
    });
    ExitCode::from(exit.code())
}
