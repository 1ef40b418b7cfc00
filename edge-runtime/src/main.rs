//! `watchpostd`; everything is in the library.

fn main() -> anyhow::Result<std::process::ExitCode> {
    Ok(watchpostd::cli::run(std::env::args_os())?)
}
