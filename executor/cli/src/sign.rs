//! Signatures of approvals by the operator's own key. OpenSSH makes them, so agents, passphrases and security keys work as they always do
//! and no private key is read here.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use switchback_executor::runs;
use switchback_model::trust::{self, Of};
use switchback_schemas::{
    Digest, RunId,
    journal::{Approval, Identified},
};
use tokio::io::AsyncWriteExt as _;

use crate::{documents, error::Error};

/// A key of the operator.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct SignArgs {
    /// Sign with this SSH key, or with the agent's where FILE is a public key; needed where the plan names a trust
    #[arg(long, value_name = "FILE", conflicts_with = "asserted")]
    ssh_key: Option<PathBuf>,
}

/// A key of somebody whom a trust names.
pub(crate) struct Signer {
    key: PathBuf,
    plan: Digest,
    /// Whose it is.
    pub(crate) by: Identified,
}

impl SignArgs {
    /// Whose the key is, by the trust of the run.
    pub(crate) async fn signer(
        &self,
        store: &dyn switchback_executor::store::Store,
        run: &RunId,
    ) -> Result<Option<Signer>, Error> {
        let Some(key) = &self.ssh_key else { return Ok(None) };
        let public = documents::text(&public(key))?;
        let unsigned = |why: trust::Unsigned| Error::Sign { why: why.to_string() };
        let Some((trust, plan)) = runs::trust(store, run).await? else {
            return Err(Error::Sign {
                why: format!("the plan of run {run} names no trust, so nobody knows whose key it is"),
            });
        };
        let (person, key_name) = trust.owner(&public).map_err(unsigned)?;
        let by = Identified::Ssh { name: person.name.clone(), key: key_name };
        Ok(Some(Signer { key: key.clone(), plan, by }))
    }
}

fn public(key: &Path) -> PathBuf {
    if key.extension().is_some_and(|ending| ending == "pub") {
        return key.to_owned();
    }
    let mut name = key.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

impl Signer {
    /// Signs an approval of a run.
    #[expect(
        clippy::disallowed_methods,
        reason = "it asks for a passphrase at the terminal, which programs of the port do not have"
    )]
    pub(crate) async fn sign(&self, run: &RunId, approval: &mut Approval) -> Result<(), Error> {
        let failed = |why: String| Error::Sign { why };
        let text = trust::approval_text(Of { run, plan: &self.plan }, approval)
            .map_err(|error| failed(error.to_string()))?;
        let mut child = tokio::process::Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", trust::APPROVAL, "-f"])
            .arg(&self.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("ssh-keygen cannot be started: {error}")))?;
        if let Some(mut stdin) = child.stdin.take() {
            // It ends by itself where it cannot read its key, and says so.
            let _ = stdin.write_all(&text).await;
        }
        let ended = child.wait_with_output().await.map_err(|error| failed(error.to_string()))?;
        if !ended.status.success() {
            return Err(failed(format!("ssh-keygen did not sign: {}", ended.status)));
        }
        let signature = String::from_utf8(ended.stdout).map_err(|error| failed(error.to_string()))?;
        approval.proof = Some(signature.trim_end().to_owned());
        Ok(())
    }
}
