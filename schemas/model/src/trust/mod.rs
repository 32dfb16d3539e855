//! Who approved: persons by their keys, and signatures of approvals. Signatures are OpenSSH's (`ssh-keygen -Y sign`,
//! <https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig>), checked by `ssh-key`.

use std::collections::BTreeMap;

use serde::Serialize;
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, PublicKey, SshSig};
use switchback_schemas::{
    Digest, RunId,
    journal::{Approval, Identified},
    name::Label,
    plan::ApprovalScope,
    trust::{Person, Trust, TrustRef},
};

/// What signatures of approvals are made for: one that was made for something else does not count.
pub const APPROVAL: &str = "switchback.dev/approval";
/// What signatures of plans are made for.
pub const PLAN: &str = "switchback.dev/plan";

/// A trust whose keys can be read.
#[derive(Clone, Debug)]
pub struct Trusted {
    trust: Trust,
    json: Vec<u8>,
    keys: BTreeMap<String, (usize, PublicKey)>,
}

/// Why a trust is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTrust {
    /// Two persons of one name.
    #[error("{0} is named twice")]
    Twice(Label),
    /// A user name of two persons.
    #[error("{name} is a name of {one} and of {other}")]
    Shared {
        /// The key or name.
        name: String,
        /// Whose it is.
        one: Label,
        /// And whose else.
        other: Label,
    },
    /// A key that cannot be read.
    #[error("a key of {person} cannot be read: {why}")]
    Key {
        /// Whose.
        person: Label,
        /// Why.
        why: String,
    },
    /// More have to approve than may.
    #[error("{quorum} have to approve, and {people} may")]
    Quorum {
        /// How many have to.
        quorum: u32,
        /// How many may.
        people: usize,
    },
    /// It cannot be written as JSON.
    #[error("it cannot be kept: {0}")]
    Json(String),
}

/// Why a signature proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// The key is nobody's.
    #[error("key {0} belongs to nobody who may approve")]
    Stranger(String),
    /// There is none.
    #[error("it is not signed")]
    Absent,
    /// Nobody knows who may approve.
    #[error("the trust that its plan names was not kept")]
    Unkept,
    /// It is no signature, of another text, by another key or for another purpose.
    #[error("its signature does not hold: {0}")]
    Forged(String),
}

impl Trusted {
    /// Reads the keys.
    pub fn of(trust: Trust) -> Result<Self, BadTrust> {
        let json = serde_json::to_vec(&trust).map_err(|error| BadTrust::Json(error.to_string()))?;
        let people = &trust.spec.approvers;
        let quorum = trust.spec.quorum;
        // Who has no key can approve nothing.
        let may = people.iter().filter(|person| !person.ssh.is_empty()).count();
        if quorum == 0 || usize::try_from(quorum).map_or(true, |quorum| quorum > may) {
            return Err(BadTrust::Quorum { quorum, people: may });
        }
        let mut keys = BTreeMap::new();
        let mut names: BTreeMap<&str, &Label> = BTreeMap::new();
        for (number, person) in people.iter().enumerate() {
            if people.iter().take(number).any(|earlier| earlier.name == person.name) {
                return Err(BadTrust::Twice(person.name.clone()));
            }
            let shared = |name: &str, one: &Label| BadTrust::Shared {
                name: name.to_owned(),
                one: one.clone(),
                other: person.name.clone(),
            };
            for key in &person.ssh {
                let key = read(key).map_err(|why| BadTrust::Key { person: person.name.clone(), why })?;
                let name = fingerprint(&key);
                if let Some((other, _)) = keys.insert(name.clone(), (number, key))
                    && let Some(one) = people.get(other).filter(|_| other != number)
                {
                    return Err(shared(&name, &one.name));
                }
            }
            for name in &person.kubernetes {
                if let Some(one) = names.insert(name, &person.name).filter(|one| **one != person.name) {
                    return Err(shared(name, one));
                }
            }
        }
        Ok(Self { trust, json, keys })
    }

    /// Reads one that was kept.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BadTrust> {
        let trust = serde_json::from_slice(bytes).map_err(|error| BadTrust::Json(error.to_string()))?;
        Self::of(trust)
    }

    /// Its canonical JSON.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// What it says.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// As a plan names it.
    pub fn named(&self) -> TrustRef {
        TrustRef {
            name: self.trust.metadata.name.clone(),
            digest: Digest::of(&self.json),
            approvers: self.trust.spec.approvers.iter().map(|person| person.name.clone()).collect(),
        }
    }

    /// Whose a public key is; its fingerprint.
    pub fn owner(&self, key: &str) -> Result<(&Person, String), Unsigned> {
        let key = read(key).map_err(Unsigned::Forged)?;
        let name = fingerprint(&key);
        let number = self.keys.get(&name).map(|(number, _)| *number);
        let person = number.and_then(|number| self.trust.spec.approvers.get(number));
        person.map(|person| (person, name.clone())).ok_or(Unsigned::Stranger(name))
    }

    /// The person of a user name of an API server.
    pub fn user(&self, name: &str) -> Option<&Label> {
        let mut people = self.trust.spec.approvers.iter();
        people.find(|person| person.kubernetes.iter().any(|own| own == name)).map(|person| &person.name)
    }

    /// The person of a key whose signature this is.
    pub fn signer(&self, purpose: &str, text: &[u8], signature: &str) -> Result<&Person, Unsigned> {
        let forged = |error: ssh_key::Error| Unsigned::Forged(error.to_string());
        let signature = SshSig::from_pem(signature.trim_ascii()).map_err(forged)?;
        let signed_by = PublicKey::from(signature.public_key().clone());
        let name = fingerprint(&signed_by);
        let (number, key) = self.keys.get(&name).ok_or(Unsigned::Stranger(name))?;
        key.verify(purpose, text, &signature).map_err(forged)?;
        self.trust.spec.approvers.get(*number).ok_or(Unsigned::Absent)
    }

    /// Whether an approval is signed by who it says that gave it.
    pub fn proves(&self, of: Of<'_>, approval: &Approval) -> Result<(), Unsigned> {
        let Identified::Ssh { name, key } = &approval.by else { return Err(Unsigned::Absent) };
        let signature = approval.proof.as_deref().ok_or(Unsigned::Absent)?;
        let text = approval_text(of, approval).map_err(|error| Unsigned::Forged(error.to_string()))?;
        let person = self.signer(APPROVAL, &text, signature)?;
        let of_person = self.keys.get(key).and_then(|(number, _)| self.trust.spec.approvers.get(*number));
        if person.name != *name || of_person != Some(person) {
            return Err(Unsigned::Forged(format!("it is of {}", person.name)));
        }
        Ok(())
    }
}

/// What an approval is of.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The digest of its plan's bytes: a review digest leaves out what was observed and how it is told.
    pub plan: &'a Digest,
}

/// What is signed of an approval. It names run and plan, so nothing is gained by saying it again: a person counts once.
pub fn approval_text(of: Of<'_>, approval: &Approval) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Signed<'a> {
        run: &'a RunId,
        plan: &'a Digest,
        scope: &'a ApprovalScope,
        review: &'a Digest,
        reason: &'a Option<String>,
        given: jiff::Timestamp,
        expires: Option<jiff::Timestamp>,
    }
    let Of { run, plan } = of;
    let Approval { scope, review, reason, given, expires, .. } = approval;
    serde_json::to_vec(&Signed { run, plan, scope, review, reason, given: *given, expires: *expires })
}

fn read(key: &str) -> Result<PublicKey, String> {
    let key = PublicKey::from_openssh(key.trim()).map_err(|error| error.to_string())?;
    match key.algorithm() {
        Algorithm::Ed25519
        | Algorithm::SkEd25519
        | Algorithm::SkEcdsaSha2NistP256
        | Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 } => Ok(key),
        other => Err(format!("{other} is not checked here; ed25519 and ECDSA on P-256 are")),
    }
}

fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

#[cfg(test)]
mod tests;
