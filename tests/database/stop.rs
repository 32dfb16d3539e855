//! Nothing outlives a test, however it ends.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::Stdio,
};

use crate::support::{
    ground::places,
    host,
    postgres::Postgres,
    program::{End, Program},
};

/// Command lines that name a path under the directory.
fn processes(dir: &Path) -> Vec<String> {
    let needle = dir.display().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let home = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            (line.contains(&needle) || home.starts_with(dir)).then_some(line)
        })
        .collect()
}

#[test]
fn a_program_ends_with_all_that_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = host::command("sh", dir.path());
    // The parent ends when it is asked and leaves its child alone, as `mlflow server` up to 3.8 does.
    command.args(["-c", "sleep 600 & echo up; wait"]);
    let program = Program::start(command, End::Term, &dir.path().join("log"), None);
    host::wait("a program", || program.said().contains("up").then_some(()));
    assert_eq!(processes(dir.path()).len(), 2);
    drop(program);
    assert_eq!(processes(dir.path()), Vec::<String>::new());
}

#[test]
fn a_program_ends_with_the_test_even_by_sigkill() {
    for signal in ["TERM", "KILL"] {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join("left");
        fs::create_dir(&left).unwrap();
        let mut owner = host::again("stop::holds_a_program");
        let mut owner = owner.env("HOLD", &left).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("holding")), "it says when it holds one");
        assert_eq!(processes(&left).len(), 3, "a shell, its child and the watchdog: {:?}", processes(&left));
        host::run(host::command("kill", dir.path()).args(["-s", signal, &owner.id().to_string()]));
        owner.wait().unwrap();
        host::wait("the end of all", || processes(&left).is_empty().then_some(()));
        assert!(!left.exists(), "what it left behind is removed");
    }
}

/// Run by the test above in a process of its own, with a directory. Without one there is nothing to hold.
#[test]
#[ignore = "holds a program until it is killed"]
fn holds_a_program() {
    let Some(left) = host::path_var("HOLD") else { return };
    let mut command = host::command("sh", &left);
    command.args(["-c", "sleep 600 & echo up; wait"]);
    let program = Program::start(command, End::Term, &left.join("log"), Some(&left));
    host::wait("a program", || program.said().contains("up").then_some(()));
    writeln!(std::io::stdout(), "holding").unwrap();
    loop {
        host::pause();
    }
}

#[test]
#[ignore = "needs PostgreSQL and MLflow: `tests/database/suite`"]
fn postgresql_listens_on_loopback_only_and_is_gone_when_dropped() {
    let (_, bin) = places();
    let dir = tempfile::tempdir().unwrap();
    let postgres = Postgres::start(&bin, dir.path());
    assert_eq!(postgres.sql("postgres", "show listen_addresses"), "127.0.0.1");
    assert_eq!(postgres.sql("postgres", "show unix_socket_directories"), "");
    assert!(!processes(dir.path()).is_empty());
    drop(postgres);
    assert_eq!(processes(dir.path()), Vec::<String>::new());
}
