//! The one place of this suite that reads the environment, starts programs and lets time pass.
#![expect(clippy::disallowed_methods, reason = "this module is where these calls live")]

use std::{
    ffi::OsStr,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

/// A variable as a path; empty counts as unset.
pub(crate) fn path_var(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A command that sees nothing of the caller's environment but where programs are: a proxy, a `PGHOST` or an
/// `MLFLOW_TRACKING_URI` of the person at the keyboard must not reach it.
pub(crate) fn command(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("TMPDIR", home).env("LANG", "C.UTF-8").current_dir(home);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// Runs it to its end; the output is in the panic when it fails.
pub(crate) fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, both(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// Runs it to its end, well or not.
pub(crate) fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Everything that a program said.
pub(crate) fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// This test binary again, for one of its tests.
pub(crate) fn again(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", test, "--include-ignored", "--nocapture"]);
    command
}

/// Asks until there is an answer, for as long as anything here may take.
pub(crate) fn wait<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3_600 {
        if let Some(answer) = ask() {
            return answer;
        }
        pause();
    }
    panic!("{what}: not within three minutes");
}

/// Lets what is waited for have the processor.
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

/// A port of loopback that is free at this moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// 32 letters and digits that nobody has seen before.
pub(crate) fn secret() -> String {
    let word = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("Linux");
    word.trim_end().replace('-', "")
}
