//! The `ringback` binary: arguments, start, wait.

fn main() -> std::process::ExitCode {
    ringback::cli::main()
}
