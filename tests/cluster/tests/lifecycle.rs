//! Clusters that come and go. Those that start one are ignored by default: they need the programs.
//! `cargo test -p switchback-cluster -- --include-ignored`, after `cluster build`.
#![expect(clippy::disallowed_methods, reason = "this is a test of a program")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use switchback_cluster::{Cluster, Error, Toolchain, down, smoke};

fn cluster(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
    command.args(arguments).env_remove("SWITCHBACK_KUBECONFIG");
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Processes whose command line names a path under the directory, as all of a cluster's do.
fn processes(dir: &Path) -> Vec<String> {
    let needle = format!("={}/", dir.display());
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&needle))
        .collect()
}

#[test]
fn without_go_and_without_programs_the_reason_is_said() {
    let cache = tempfile::tempdir().unwrap();
    let output = cluster(&["test", "--", "true"])
        .env("PATH", cache.path())
        .env("SWITCHBACK_CACHE", cache.path())
        .env_remove("SWITCHBACK_CLUSTER_BIN")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message =
        "Go is not installed and SWITCHBACK_CLUSTER_BIN is not set: the real-cluster suite was not run";
    assert!(stderr(&output).contains(message), "{}", stderr(&output));
}

#[test]
fn a_given_cluster_is_used_and_the_commands_status_is_ours() {
    let output = cluster(&["test", "--", "sh", "-c", "echo $SWITCHBACK_KUBECONFIG; exit 7"])
        .env("SWITCHBACK_KUBECONFIG", "/somewhere/kubeconfig")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/somewhere/kubeconfig\n");
}

#[test]
fn down_without_a_cluster_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let output = cluster(&["down", "--dir"]).arg(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no cluster was started in"), "{}", stderr(&output));
}

#[test]
#[ignore = "starts a real cluster"]
fn a_cluster_works_and_is_gone_when_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let tools = Toolchain::locate().unwrap();
    let cluster = Cluster::start(&tools, dir.path()).unwrap();
    let again = Cluster::start(&tools, dir.path()).map(drop);
    assert!(matches!(again, Err(Error::AlreadyRunning { .. })), "{again:?}");
    smoke::run(&cluster, &tools, |line| println!("{line}")).unwrap();
    assert_eq!(processes(cluster.dir()).len(), 5);
    let real = cluster.dir().to_owned();
    cluster.stop();
    assert_eq!(processes(&real), Vec::<String>::new());
}

#[test]
#[ignore = "starts a real cluster"]
fn a_detached_cluster_lives_until_it_is_stopped_and_starts_anew_empty() {
    let dir = tempfile::tempdir().unwrap();
    let tools = Toolchain::locate().unwrap();
    let cluster = Cluster::start(&tools, dir.path()).unwrap();
    let kubectl = cluster.kubectl().clone();
    let real = cluster.dir().to_owned();
    cluster.detach().unwrap();
    kubectl.run(&["create", "namespace", "left-over"]).unwrap();
    down(&real).unwrap();
    assert!(matches!(down(&real), Err(Error::NotRunning { .. })));
    kubectl.run(&["get", "namespaces"]).unwrap_err();

    let cluster = Cluster::start(&tools, dir.path()).unwrap();
    let namespaces = cluster.kubectl().run(&["get", "namespaces", "--output", "name"]).unwrap();
    assert!(namespaces.contains("namespace/default"), "{namespaces}");
    assert!(!namespaces.contains("left-over"), "{namespaces}");
}

#[test]
#[ignore = "starts a real cluster"]
fn a_cluster_ends_with_the_process_that_started_it_even_by_sigkill() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().canonicalize().unwrap();
    // The command runs once the cluster is up.
    let mut owner = cluster(&["test", "--dir"])
        .arg(&real)
        .args(["--", "sh", "-c", "echo up; exec sleep 600 >/dev/null"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(owner.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert_eq!(line, "up\n");
    assert_eq!(processes(&real).len(), 5);
    let command = children(owner.id(), "sleep 600");
    owner.kill().unwrap();
    owner.wait().unwrap();
    while !processes(&real).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    // The command is not the cluster's; nobody else would end this one.
    for pid in command {
        Command::new("kill").arg(pid).status().unwrap();
    }
}

/// Children of a process with that command line.
fn children(parent: u32, line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let read = |name| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        if read("cmdline").trim_end_matches('\0').replace('\0', " ") == line
            && read("status").contains(&format!("PPid:\t{parent}\n"))
        {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}
