use ssh_key::{LineEnding, PrivateKey, private::Ed25519Keypair};
use switchback_schemas::name::Label;

use super::*;

/// Made by OpenSSH's own `ssh-keygen`, with keys that are gone, of the text `{"run":"r-1"}`.
const BY_OPENSSH: [(&str, &str); 2] = [
    (
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILW0ZQlM0+ssKo2L2PbUDQ7VBGF4Z4X5ShwmH2Luxhn/ ada",
        "-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgtbRlCUzT6ywqjYvY9tQNDtUEYX
hnhflKHCYfYu7GGf8AAAAXc3dpdGNoYmFjay5kZXYvYXBwcm92YWwAAAAAAAAABnNoYTUx
MgAAAFMAAAALc3NoLWVkMjU1MTkAAABAmufjiiR833ySaokwb+KTNie0i2u2ZbgYV8i5JS
3PhstJ14PipRcjsBc78ig7oum++BzK8HFROHLXSiTmA53PDA==
-----END SSH SIGNATURE-----",
    ),
    (
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBK6B4GuqnG2lBFmMILPGDR6viMpuKFLoZ7Qj7f/PbGEni5pl9yDnLq5owUOfOZS1RtfuVReP/HBsYf7hzJzd4v0= bob",
        "-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAAGgAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAAhuaXN0cDI1NgAAAE
EEroHga6qcbaUEWYwgs8YNHq+Iym4oUuhntCPt/89sYSeLmmX3IOcurmjBQ585lLVG1+5V
F4/8cGxh/uHMnN3i/QAAABdzd2l0Y2hiYWNrLmRldi9hcHByb3ZhbAAAAAAAAAAGc2hhNT
EyAAAAYwAAABNlY2RzYS1zaGEyLW5pc3RwMjU2AAAASAAAACAFxCkwxr5+w8j5AHwpUmy5
v0DP8D5AxKMh5/ltHHx9IwAAACBEaHHvQIf+obUGdC71/NQm+QFnwozhoa/+Ihx4+GGPOw
==
-----END SSH SIGNATURE-----",
    ),
];

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

fn public(seed: u8) -> String {
    key(seed).public_key().to_openssh().unwrap()
}

fn person(name: &str, keys: &[u8]) -> Person {
    Person {
        name: Label::new(name).unwrap(),
        ssh: keys.iter().map(|seed| public(*seed)).collect(),
        kubernetes: vec![format!("oidc:{name}")],
    }
}

fn trust(people: &[Person], quorum: u32) -> Trust {
    let json = serde_json::json!({"apiVersion": "switchback.dev/v1alpha1", "kind": "Trust",
        "metadata": {"name": "production"}, "spec": {"approvers": people, "quorum": quorum}});
    serde_json::from_value(json).unwrap()
}

fn run(name: &str) -> RunId {
    RunId::new(name).unwrap()
}

fn approval(name: &str, seed: u8) -> Approval {
    Approval {
        by: Identified::Ssh { name: Label::new(name).unwrap(), key: fingerprint(key(seed).public_key()) },
        scope: ApprovalScope::Plan {},
        review: Digest::of("review"),
        reason: Some("looked at it".to_owned()),
        given: jiff::Timestamp::UNIX_EPOCH,
        expires: None,
        proof: None,
    }
}

fn signed(of: Of<'_>, approval: Approval, seed: u8, purpose: &str) -> Approval {
    let text = approval_text(of, &approval).unwrap();
    let signature = key(seed).sign(purpose, HashAlg::Sha512, &text).unwrap();
    Approval { proof: Some(signature.to_pem(LineEnding::LF).unwrap()), ..approval }
}

#[test]
fn a_signature_of_openssh_counts_for_its_own_text_and_purpose_only() {
    let people = ["ada", "bob"].into_iter().zip(BY_OPENSSH);
    let people = people.map(|(name, (key, _))| Person { ssh: vec![key.to_owned()], ..person(name, &[]) });
    let trusted = Trusted::of(trust(&people.collect::<Vec<_>>(), 2)).unwrap();
    for (name, (key, signature)) in ["ada", "bob"].into_iter().zip(BY_OPENSSH) {
        let signer = trusted.signer(APPROVAL, b"{\"run\":\"r-1\"}", signature).unwrap();
        assert_eq!(signer.name.as_str(), name);
        assert_eq!(trusted.owner(key).unwrap().0.name.as_str(), name);
        assert!(matches!(
            trusted.signer(APPROVAL, b"{\"run\":\"r-2\"}", signature),
            Err(Unsigned::Forged(_))
        ));
        assert!(matches!(trusted.signer(PLAN, b"{\"run\":\"r-1\"}", signature), Err(Unsigned::Forged(_))));
    }
}

#[test]
fn no_forged_approval_counts() {
    let trusted = Trusted::of(trust(&[person("ada", &[1, 2]), person("bob", &[3])], 1)).unwrap();
    let (run_1, run_2, plan, other) = (run("r-1"), run("r-2"), Digest::of("plan"), Digest::of("other"));
    let here = Of { run: &run_1, plan: &plan };
    let ada = signed(here, approval("ada", 1), 1, APPROVAL);
    assert_eq!(trusted.proves(here, &ada), Ok(()));
    let with = |change: fn(&mut Approval)| {
        let mut changed = ada.clone();
        change(&mut changed);
        changed
    };
    let bit = |at: usize| {
        let mut proof = ada.proof.clone().unwrap().into_bytes();
        proof[at] = if proof[at] == b'A' { b'B' } else { b'A' };
        Approval { proof: String::from_utf8(proof).ok(), ..ada.clone() }
    };
    let forgeries = [
        ("no signature", with(|forged| forged.proof = None)),
        ("no text of one", with(|forged| forged.proof = Some("signed, ada".to_owned()))),
        ("another scope", with(|forged| forged.scope = ApprovalScope::Cleanup {})),
        ("another plan", with(|forged| forged.review = Digest::of("other"))),
        ("another reason", with(|forged| forged.reason = None)),
        ("another time", with(|forged| forged.given = jiff::Timestamp::MAX)),
        ("another end", with(|forged| forged.expires = Some(jiff::Timestamp::MAX))),
        ("another name", with(|forged| forged.by = approval("bob", 1).by)),
        ("another name and its key", with(|forged| forged.by = approval("bob", 3).by)),
        ("only a name", with(|forged| forged.by = Identified::Asserted("ada".to_owned()))),
        ("an API server's word", with(|forged| forged.by = Identified::Kubernetes("oidc:ada".to_owned()))),
        ("somebody else's key", signed(here, approval("ada", 1), 3, APPROVAL)),
        ("a stranger's key", signed(here, approval("ada", 9), 9, APPROVAL)),
        ("another purpose", signed(here, approval("ada", 1), 1, PLAN)),
        ("another run", signed(Of { run: &run_2, ..here }, approval("ada", 1), 1, APPROVAL)),
        (
            "another plan of the same risk",
            signed(Of { plan: &other, ..here }, approval("ada", 1), 1, APPROVAL),
        ),
        ("a changed key in it", bit(120)),
        ("a changed signature in it", bit(ada.proof.as_ref().unwrap().len() - 60)),
    ];
    for (what, forged) in forgeries {
        assert!(trusted.proves(here, &forged).is_err(), "{what}");
    }
    // Either key of a person speaks for that person.
    assert_eq!(trusted.proves(here, &signed(here, approval("ada", 2), 2, APPROVAL)), Ok(()));
}

#[test]
fn a_trust_that_cannot_hold_is_refused() {
    let refused = |people: Vec<Person>, quorum| Trusted::of(trust(&people, quorum)).unwrap_err().to_string();
    let ada = || person("ada", &[1]);
    assert!(refused(vec![ada()], 2).contains("2 have to approve, and 1 may"));
    assert!(refused(vec![ada()], 0).contains("0 have to approve"));
    assert!(refused(vec![], 1).contains("0 may"));
    assert!(refused(vec![ada(), person("bob", &[])], 2).contains("1 may"), "who has no key approves nothing");
    assert!(refused(vec![ada(), person("ada", &[2])], 1).contains("named twice"));
    assert!(refused(vec![ada(), person("bob", &[1])], 1).contains("is a name of ada and of bob"));
    let same_user = Person { kubernetes: vec!["oidc:ada".to_owned()], ..person("bob", &[2]) };
    assert!(refused(vec![ada(), same_user], 1).contains("oidc:ada is a name of ada and of bob"));
    let bad = |key: &str| vec![Person { ssh: vec![key.to_owned()], ..ada() }];
    assert!(refused(bad("ssh-ed25519 nothing"), 1).contains("a key of ada cannot be read"));
    let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCuuWMGFEPyll8RaRAfWdkZDW4+1iFRL6eh8WjGwGNTK1qYYTGN5bUPItqKehw75NZdz58whrvEXkWjyqSpxPX/cW/IxcktV8L+wnibofpAO2zn5LgWH9ttx9TSMmnIn1LoitpRm1GB6H+yfkmxJqj3+AnicpLN7X5H9pG+g3hk/E5OPu1n/YXr75Q8cdexdlHxtD/zaUtwEPb/HtbsItdJBnblttr3viU1OLEOvskl2eyyjASaacz1obOLZ4/A260dJ1rTC+7asQTQLKiwHxfi3ZF+QDd+PmpQI5hM9KSdkLnpQCcTZXw16I3p0ZTtz+ZftLxTv5biTKlDf9/DWxmv eve";
    let why = refused(bad(rsa), 1);
    assert!(why.contains("ssh-rsa is not checked here"), "{why}");
}

#[test]
fn what_is_kept_reads_back_with_the_same_digest() {
    let trusted = Trusted::of(trust(&[person("ada", &[1]), person("bob", &[2])], 2)).unwrap();
    let again = Trusted::from_json(trusted.json()).unwrap();
    assert_eq!(again.named(), trusted.named());
    assert_eq!(trusted.user("oidc:bob").map(Label::as_str), Some("bob"));
    assert_eq!(trusted.user("oidc:eve"), None);
}
