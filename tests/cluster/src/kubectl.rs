//! kubectl and helm, run against one cluster.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::{Error, host};

/// kubectl with the kubeconfig of a cluster.
#[derive(Debug, Clone)]
pub struct Kubectl {
    client: Client,
}

impl Kubectl {
    pub(crate) fn new(program: &Path, kubeconfig: &Path, home: &Path) -> Self {
        Self { client: Client::new(program, kubeconfig, home) }
    }

    /// Runs kubectl and returns what it printed.
    pub fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        self.client.run(arguments, "")
    }

    /// `kubectl apply --filename -` of the text.
    pub fn apply(&self, manifests: &str) -> Result<String, Error> {
        self.client.run(&["apply", "--filename", "-"], manifests)
    }
}

/// A client program that reads `KUBECONFIG`.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    program: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
}

impl Client {
    /// `home` takes the caches that these programs keep.
    pub(crate) fn new(program: &Path, kubeconfig: &Path, home: &Path) -> Self {
        Self { program: program.to_owned(), kubeconfig: kubeconfig.to_owned(), home: home.to_owned() }
    }

    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Result<String, Error> {
        let name = self.program.display().to_string();
        let mut child = host::clean_command(&self.program, &self.home)
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| host::spawn(&name, source))?;
        // These programs read all input before they write, so this cannot block for ever. A program
        // that ends without reading says why on stderr; its broken pipe is not the news.
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(|source| host::spawn(&name, source))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let short = self.program.file_name().unwrap_or_default().to_string_lossy();
        Err(Error::Client {
            command: format!("{short} {}", arguments.join(" ")),
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}
